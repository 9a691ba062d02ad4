"""What a scene pair says about its own sensors: blur, misregistration, response."""
