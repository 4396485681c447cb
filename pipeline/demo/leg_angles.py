"""The hip-knee-ankle angle of joint centres.

Convention: degrees in the frontal plane; 180 is straight, less is varus (the knee bowed outward), more is valgus.
"""

from pipeline.demo.arithmetic import Floats, arctangent, dot, length


def frontal_hka(hip: Floats, knee: Floats, ankle: Floats, other_hip: Floats) -> Floats:
    """Return the hip-knee-ankle angle (...) in degrees of joint centres (..., 3) in metres with z up.

    The frontal plane holds the vertical and the horizontal direction from the other hip to this one, which is lateral:
    therefore the sign needs neither side nor view.
    """
    lateral = _lateral(hip, other_hip)
    return 180 + _outward_lean(ankle - knee, lateral) - _outward_lean(knee - hip, lateral)


def straddle(hip: Floats, ankle: Floats, other_hip: Floats) -> Floats:
    """Return the degrees (...) that the line from hip to ankle, (..., 3) each, leaves the vertical outward."""
    return _outward_lean(ankle - hip, _lateral(hip, other_hip))


def _lateral(hip: Floats, other_hip: Floats) -> Floats:
    """Return the horizontal unit vector (..., 3) from the other hip to this one."""
    across = (hip - other_hip) * [1, 1, 0]
    return across / length(across)[..., None]


def _outward_lean(segment: Floats, lateral: Floats) -> Floats:
    """Return the degrees of a segment against straight down, positive where its lower end is further out."""
    return arctangent(dot(segment, lateral), -segment[..., 2])
