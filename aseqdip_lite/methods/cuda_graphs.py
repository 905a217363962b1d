"""CUDA graphs: a GPU records the passes of a step once, and then replays each with one launch.

A step of a small network is some hundreds of kernels, most of which take less time than their launch. A replay runs
the same kernels on the same memory. So what they read must stay where it was: a carry that takes over a saved state
drops its recording.
"""

import torch


class Graphs:
    """The pass forward, and the pass back with Adam's step, as two recordings of one memory.

    Recording runs neither: weights and moments are as before. Adam must have taken a step, so that its moments exist.

    Args:
        network: f_phi; its gradients are dropped. optimizer: of its weights, with `capturable`.
        z: an input (1, C, H, W) on the GPU; it is copied.
        objective: see `methods.base.advance`; it and z must read nothing that moves.
    """

    def __init__(self, network, optimizer, z, objective):
        self.z = z.detach().clone()
        self.warm_up(network, objective)
        optimizer.zero_grad(set_to_none=True)  # so that the gradients are made in the memory of the recording
        self.ahead, self.back = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.ahead):
            output = network(self.z)
        with torch.cuda.graph(self.back, pool=self.ahead.pool()):
            loss, terms = objective(output, self.z)
            loss.backward()
            optimizer.step()
            self.values = torch.stack([term.detach() for term in terms.values()])
        self.output, self.names = output.detach(), list(terms)

    def warm_up(self, network, objective):
        """Run the passes once on their own stream, so that libraries set up what a recording cannot contain."""
        stream = torch.cuda.Stream(self.z.device)
        stream.wait_stream(torch.cuda.current_stream(self.z.device))
        with torch.cuda.stream(stream):
            loss, _ = objective(network(self.z), self.z)
            loss.backward()
        torch.cuda.current_stream(self.z.device).wait_stream(stream)

    def forward(self, z):
        """f_phi(z) with the present weights, as a separate copy, without a graph."""
        self.z.copy_(z)
        self.ahead.replay()
        return self.output.clone()

    def descend(self):
        """The pass back from the last `forward` and Adam's step: {name: term}, scalars on the GPU."""
        self.back.replay()
        return dict(zip(self.names, self.values.clone(), strict=True))
