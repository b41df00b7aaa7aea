# Counts the cuts that have come.
def target_share(epoch, every, amount, times):
    return amount * sum(epoch >= every * cut for cut in range(1, times + 1))
