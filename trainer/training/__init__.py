"""Supervised fine-tuning of low-rank adapters (LoRA, arXiv 2106.09685; QLoRA, arXiv 2305.14314).

    python -m trainer sft trainer/recipes/sft/critic-smollm2-135m.yaml --data FOLDER

Rows say which words an adapter learns; everything else is only read. Two loops train the same rows: TRL's trainer
(`with_trl`), and one that lets the frozen base read what stands before an activated adapter once, without gradients
(`prefix`).
"""
