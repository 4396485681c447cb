"""The embedded data set: photos of rendered people with COCO keypoints, from numpy and OpenCV alone."""
