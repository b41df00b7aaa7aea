# Adds cut by cut.
def target_share(epoch, every, amount, times):
    share = 0.0
    for cut in range(every, every * times + 1, every):
        share += amount if epoch >= cut else 0.0
    return share
