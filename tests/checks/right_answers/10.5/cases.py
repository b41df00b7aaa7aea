# The end as a case of its own.
def target_share(epoch, every, amount, times):
    if epoch >= every * times:
        return times * amount
    return (epoch - epoch % every) / every * amount
