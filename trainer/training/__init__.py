"""Supervised fine-tuning of low-rank adapters (LoRA, arXiv 2106.09685; QLoRA, arXiv 2305.14314).

    python -m trainer sft trainer/recipes/sft/critic-smollm2-135m.yaml --data FOLDER

Training rows weight the tokens that an adapter learns; all other tokens are only read. Two loops train the same rows:
TRL's trainer (`trl`), and our own (`prefix`), in which the frozen base reads what precedes an activated adapter once
and without gradients.
"""
