"""How near OpenCV's bilinear warp is to exact arithmetic."""

import cv2

#: grey levels; OpenCV 4 rounds coordinates to 1/32 of a pixel, OpenCV 5 does not
OPENCV_LEVELS = 1.1 if int(cv2.__version__.partition(".")[0]) >= 5 else 8.0
