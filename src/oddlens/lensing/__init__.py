"""From priors to images: what a lens is made of (scene), how it looks (render), what a camera makes of it."""
