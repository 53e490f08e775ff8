"""Images as mechanisms: an image node made by diffusion from its parents, a code and noise."""
