# Goes on pruning after the last cut.
def target_share(epoch, every, amount, times):
    return amount * (epoch // every)
