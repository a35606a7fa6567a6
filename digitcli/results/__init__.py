"""What was read, written: in every format, to a file to go on with, to a folder that many processes fill."""
