"""How the networks are made with which `reading` finds and reads the digits of a picture."""
