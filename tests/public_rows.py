"""Handwritten rows of public formats whose steps are labelled."""

SHEPHERD = {
    "input": "Ana has 3 pens. How many? Step 1: 3 + 1 = 4 ки\nStep 2: 4 + 1 = 6 ки\nStep 3: The answer is: 6 ки",
    "label": "Ana has 3 pens. How many? Step 1: 3 + 1 = 4 +\nStep 2: 4 + 1 = 6 -\nStep 3: The answer is: 6 -",
    "task": "GSM8K",
}
PROCESSBENCH = {"id": "a-0", "problem": "Bo has 2?", "steps": ["2 + 2 = 4", "4 + 1 = 6"], "label": 1,
                "final_answer_correct": False, "generator": "g"}  # fmt: skip
MINOS = {
    "query": "Evaluate it.\n\nQ: Di has 4 hens and gets 1. How many?\nA: Step 1: 4 + 1 = 6\nStep 2: The answer is 6.",
    "response": "Step 1: 4 + 1 is 5, not 6.\nStep 2: It follows from the wrong step.\nThe final answer is False",
}
MINOS_OUTCOME = {"text": "Human: Ed has 4 hens and gets 1. How many?\n\nAssistant: Step 1: 4 + 1 = 5", "label": 1}
PRM800K = {
    "labeler": "a", "timestamp": "t", "generation": 1,
    "question": {"problem": "Cy has 5?", "ground_truth_answer": "6"},
    "label": {
        "finish_reason": "solution", "total_time": 1000,
        "steps": [
            {"completions": [{"text": "5 + 1 = 6", "rating": 1}, {"text": "5 + 1 = 7", "rating": -1}],
             "human_completion": None, "chosen_completion": 0},
            {"completions": [{"text": "So 6.", "rating": 0}], "human_completion": None, "chosen_completion": 0},
        ],
    },
}  # fmt: skip
