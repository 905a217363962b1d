"""Tensors of files, copied into memory of their own before they are used."""

import torch


def copied(value, like, need):
    """A tensor of the shape and dtype of `like`, copied to memory of its own; its storage must hold all of it.

    `need(holds, what)` is told what has to hold of the tensor, one after another, and raises if it does not.
    """
    need(type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout is torch.strided
         and value.device.type != "meta" and not value.is_quantized, "a plain tensor")
    need(value.dtype == like.dtype and value.shape == like.shape, f"{like.dtype} of shape {tuple(like.shape)}")
    reach = value.storage_offset() + 1 + sum((n - 1) * stride for n, stride in zip(value.shape, value.stride(),
                                                                                   strict=True))
    need(value.numel() == 0 or 0 < reach * value.element_size() <= value.untyped_storage().nbytes(),
         "a tensor whose memory is as large as its shape")
    copy = torch.empty_like(value).copy_(value.detach())  # its order of memory decides the last bits
    need(bool(copy.isfinite().all()), "finite")
    return copy
