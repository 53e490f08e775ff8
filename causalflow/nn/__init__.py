"""Networks: multilayer perceptron, U-Net, image encoder, embeddings of time and parents."""
