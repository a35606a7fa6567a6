"""Any picture to what the network sees."""

import cv2

# Pictures are read in as many processes as there are cores; threads in each would wait for one another.
cv2.setNumThreads(1)
