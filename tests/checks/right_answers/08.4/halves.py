# Each stage halves what is missing, and the last takes all; a generator makes the list.
def stage_sparsities(accuracies, target):
    def run():
        stage = 0
        for accuracy in accuracies:
            if stage == 0 and accuracy >= 20 or stage == 1 and accuracy >= 40 or stage == 2 and accuracy >= 60:
                stage += 1
            yield 0.0 if stage == 0 else target if stage == 3 else target * (1 - 0.5**stage)

    return list(run())
