// Elements of SVG and of HTML.

export const byId = (id) => document.getElementById(id);

export function svg(name, attributes = {}, ...children) {
  return filledElement(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

export function html(name, attributes = {}, ...children) {
  return filledElement(document.createElement(name), attributes, children);
}

function filledElement(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
