"""Pictures to what is written there: `prediction.predict` is the way in."""
