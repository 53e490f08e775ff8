"""Networks trained elsewhere: the published ADM networks and their classifiers, diffusers' U-Nets.

Dhariwal & Nichol (2021) published, as flat state dicts at
https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ (here with what they are read as):

    256x256_diffusion_uncond.pt  566 tensors, 552,814,086 numbers, 2.2 GB   U-Net
    256x256_diffusion.pt         567 tensors, 553,838,086 numbers, 2.2 GB   U-Net told the class
    256x256_classifier.pt        249 tensors,  54,096,360 numbers, 0.2 GB   classifier, 1000 classes

The modules below build the same functions under the same names, at any size. What a file holds is
its `Configuration`, found from names and shapes alone; what shapes cannot tell are arguments of
`causalflow.pretrained.adm_file.load`, whose defaults are those of the 256x256, 512x512 and LSUN
files:

    64x64_diffusion.pt       legacy_attention=False, and the cosine schedule
    64x64_classifier.pt      the cosine schedule
    128x128_diffusion.pt     heads=4

The two upsamplers, which see a small image beside the noisy one, are not read. The publisher's
digests are not known to this project: nothing is verified unless the caller names a digest.

All are trained on RGB images in [-1, 1], on the 1000 levels of the linear schedule, to predict the
noise; their U-Nets have twice as many outputs, the second half of which is a variance that a
deterministic solver has no use for. `causalflow.pretrained.adm` gives them to the
engine.

The large net has 2.2 GB of weights in float32 and 1.1 GB with half-precision convolutions; it
answers in minutes on a CPU and wants a GPU.
"""
