"""Networks: U-Net, image encoder, embeddings of time and parents, and what a node type adds."""
