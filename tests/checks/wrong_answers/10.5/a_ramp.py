# Rises a little in every epoch.
def target_share(epoch, every, amount, times):
    return min(amount * epoch / every, amount * times)
