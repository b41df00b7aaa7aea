# The first cut comes before any training.
def target_share(epoch, every, amount, times):
    return amount * min(epoch // every + 1, times)
