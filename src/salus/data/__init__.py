"""Files to typed columns to splits. numpy and Arrow; knows nothing of tensors, learners, users or HTTP."""
