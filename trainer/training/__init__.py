"""Training of low-rank adapters (LoRA, arXiv 2106.09685; QLoRA, arXiv 2305.14314).

    python -m trainer sft trainer/recipes/sft/critic-smollm2-135m.yaml --data FOLDER
    python -m trainer verifier trainer/recipes/verifier/smollm2-135m.yaml --data FOLDER
    python -m trainer preference trainer/recipes/preference/smollm2-135m.yaml --data FOLDER
    python -m trainer ppo trainer/recipes/ppo/smollm2-135m.yaml --problems FILE

A `Run` reads a recipe's rows and trains them with the loss of its objective: the words of a turn that an adapter writes
(`sft`), the scores of a turn that a verifier reads (`verifier`), or which of two ways to go on is better
(`preference`). Two loops train written turns: TRL's trainer (`trl`), and our own (`prefix`), in which the frozen base
reads what precedes an activated adapter once and without gradients. The other objectives have the second. A `PPORun`
has no rows: it samples replies to problems and learns from what they are paid.
"""
