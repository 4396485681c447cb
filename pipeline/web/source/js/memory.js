// What is kept between visits: how to read the page, never what was measured.

export function remembered(key) {
  try {
    return localStorage.getItem(`kdcache-${key}`);
  } catch {
    return null; // no storage for this page
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`kdcache-${key}`, value);
  } catch {
    // as above
  }
}
