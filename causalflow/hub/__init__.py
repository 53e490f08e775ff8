"""Hub: a model as a folder that others can read and trust, and its way to a model hub and back.

pretrained      `cf.from_pretrained`, and what `Model.save_pretrained` and `push_to_hub` do
model_folder    the files of a folder: written together, held against their digests when read
card            README.md: what the model is, what its graph lets be known, scores, limits
specimens       its pictures: the graph, draws, counterfactuals
"""
