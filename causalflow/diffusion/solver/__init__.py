"""Solver: the flow dy/dtau = v(y, tau) of an image, to its noise and back.

    ddim              Euler, which in flow coordinates *is* DDIM; the papers' method
    ddim-fixed-point  DDIM to the data; to the noise, the implicit step that undoes it, iterated
    midpoint, heun    second order, one step
    dpm++2m           second order, one call a step, of the predicted image in log-SNR
    alf               asynchronous leap-frog, exactly reversible
    leapfrog          two-step leap-frog (O-BELM), exactly reversible
    edict             two coupled Euler trajectories, exactly reversible
    difference        few calls; what they miss is kept, exactly reversible
    ancestral         DDPM, whose noise is kept, so that it replays exactly

What a solver is, and how it is used: `causalflow.diffusion.solver.solver`.
"""
