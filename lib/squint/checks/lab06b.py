"""Lab 06b, chains of thought: running results, what an answer costs, a majority vote, a whole chain's probability."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises

PLUS, MINUS, TIMES = range(3)


def digits(draw: Draw, *shape: int, below: int = 10) -> Tensor:
    """Whole numbers from 0 on."""
    return (1_000 * draw(*shape).abs()).long() % below


# Running results


def problem(label: str, draw: Draw, batch: int, steps: int) -> Case:
    """A start, operations of all kinds and numbers from 1 to 9."""
    operations, numbers = digits(draw, batch, steps, below=3), 1 + digits(draw, batch, steps, below=9)
    return Case(label, digits(draw, batch), operations, numbers)


def from_the_start(start: Tensor, operations: Tensor, numbers: Tensor) -> Tensor:
    """A mistake: each step goes out from the start."""
    start = start[:, None]
    less_or_times = torch.where(operations == MINUS, start - numbers, start * numbers)
    return torch.where(operations == PLUS, start + numbers, less_or_times) % 10


chain = Check(
    cases=drawn(
        lambda draw: Case("one problem, two steps", tensor([7]), tensor([[PLUS, MINUS]]), tensor([[5, 8]])),
        lambda draw: Case("one problem, one of each", tensor([4]), tensor([[MINUS, TIMES, PLUS]]),
                          tensor([[9, 7, 8]])),
        lambda draw: problem("two problems of five steps", draw, 2, 5),
        lambda draw: problem("seven problems of three steps", draw, 7, 3),
        lambda draw: problem("as many problems as steps", draw, 4, 4),
        lambda draw: Case("three problems, all taken away", tensor([0, 1, 2]), torch.full((3, 4), MINUS),
                          1 + digits(draw, 3, 4, below=9)),
        lambda draw: problem("one step", draw, 5, 1)),
    hints=(
        "Go through the steps, not through the problems: at each step the whole batch is there, [batch] numbers.",
        "for operation, number in zip(operations.T, numbers.T): result = torch.where(operation == PLUS, result + "
        "number, …) % 10, and note it. At the end torch.stack(results, dim=1)."),
    misconceptions=edits({
        "result, results = start, []": {
            "result, results = start, [start]": "The start stands in the chain. It holds what comes out after each "
            "step: as many numbers as steps.",
            "result, results = 0 * start, []": "You began at 0. Begin at `start`."},
        "zip(operations.T, numbers.T)": {
            "zip(operations, numbers)": "You went through the problems. Go through the steps: a step is a column, so "
            "turn the tables over with .T.",
            "zip(operations.T[1:], numbers.T[1:])": "The first step is missing.",
            "zip(operations.T[:-1], numbers.T[:-1])": "The last step is missing.",
            "zip(operations.T.flip(0), numbers.T.flip(0))": "You went from the last step to the first."},
        "result - number, result * number": {
            "number - result, result * number": "You took the result away from the number. Take the number away from "
            "the result.",
            "result * number, result - number": "MINUS and TIMES are swapped.",
            "(result - number).abs(), result * number": "Below zero you dropped the sign. Count back from 10: −6 % 10 "
            "is 4.",
            "(result - number).clamp(min=0), result * number": "Below zero you stopped at 0. Count back from 10: "
            "−6 % 10 is 4."},
        "result + number, less_or_times) % 10": {
            "result + number, less_or_times)": "The whole number was kept. Of each result keep the last digit: % 10.",
            "result + number, less_or_times).clamp(0, 9)": "Above 9 you stopped at 9, and below 0 at 0. The last digit "
            "of 12 is 2: % 10.",
            "result + number, less_or_times).fmod(10)": "Below zero the sign stayed. `%` gives 0 to 9: -6 % 10 is 4.",
            "(result + number) % 10, less_or_times)": "Only sums were brought to their last digit. The others need "
            "% 10, too.",
            "result + number, less_or_times % 10)": "Sums were not brought to their last digit. They need % 10, too."},
        "operation == PLUS": {
            "operation == MINUS": "You add where the operation is MINUS. Add where it is PLUS."},
        "operation == MINUS": {
            "operation == PLUS": "You take away where the operation is PLUS. Take away where it is MINUS."},
        "results.append(result)": {
            "results.append(number)": "You noted the numbers. Note the results."},
        "torch.stack(results, dim=1)": {
            "torch.stack(results)": "Steps lie along the first axis. Batch first: torch.stack(results, dim=1).",
            "results[-1]": "Only the last result is there. The chain has one after each step.",
            "torch.stack(results, dim=1).flip(1)": "The results stand in reverse order."},
    }, versions={
        "Each step went out from the start. It goes on from the result before it.": from_the_start,
    }))  # fmt: skip

# What an answer costs


answer_flops = Check(
    cases=drawn(
        lambda draw: Case("one token is written", 100, 8, 1),
        lambda draw: Case("two tokens", 10, 3, 2),
        lambda draw: Case("six tokens", 1_000, 8, 6),
        lambda draw: Case("three answers of four tokens", 10, 5, 4, 3),
        lambda draw: Case("many answers of one token", 7, 12, 1, 5),
        lambda draw: Case("as many of everything", 3, 3, 3, 3),
        lambda draw: Case("twenty chains", 42_040, 7, 12, samples=20)),
    hints=(
        "Count the tokens that are read. The question, once. And of each answer?",
        "An answer's first token comes out of reading the question; its last is read by nobody. So each answer brings "
        "written - 1 tokens that are read. Then 2 * parameters for each token."),
    misconceptions=edits({
        "asked + samples * (written - 1)": {
            "asked + samples * written": "An answer's last token is not read: nobody asks what follows it. That is "
            "written - 1 tokens.",
            "samples * (asked + written - 1)": "The question was read again for each answer. Its keys and values are "
            "kept: read it once.",
            "samples * (asked + written)": "The question is read once, not for each answer; and an answer's last "
            "token is not read.",
            "asked * samples * (written - 1)": "Question and answers are read one after the other: add them up.",
            "asked + written": "All answers cost something, not one alone, and of each the last token is not read: "
            "samples * (written - 1).",
            "asked + written - 1": "All answers cost something, not one alone: multiply by `samples`.",
            "asked + samples * written - 1": "Of *each* answer the last token is not read: samples * (written - 1).",
            "asked": "Only the question was counted. What was written is read, too, to write the next.",
            "samples * (written - 1)": "The question has to be read, too, once.",
            "samples * written": "Only what is written was counted. The question is read, once, and an answer's last "
            "token is not.",
            "samples * sum(range(asked, asked + written))": "That reads everything again for each token, as one must "
            "without a cache. With one each token is read once."},
        "2 * parameters * read": {
            "parameters * read": "Each parameter is used in one multiplication and one addition: 2 FLOPs.",
            "6 * parameters * read": "Six are what training takes, forward and back. Answering is forward only: 2.",
            "2 * read": "That counts tokens. Each goes through all `parameters`.",
            "read": "That counts tokens. Each costs 2 * parameters.",
            "2 * parameters + read": "Each token costs 2 * parameters: multiply."},
    }))  # fmt: skip

# The vote


def commonest_of_all(answers: Tensor) -> Tensor:
    """A mistake: one vote over all questions."""
    return answers.flatten().mode().values.expand(len(answers))


def likeliest_that_came_last(answers: Tensor) -> Tensor:
    """A mistake in ties: the answer that came last."""
    votes = (answers[:, :, None] == answers[:, None, :]).sum(dim=2).flip(1)
    return answers.flip(1).gather(1, votes.argmax(dim=1, keepdim=True))[:, 0]


def largest_of_ties(answers: Tensor) -> Tensor:
    """A mistake in ties: the largest answer."""
    return -(-answers).mode(dim=1).values


majority = Check(
    cases=drawn(
        lambda draw: Case("one question, two of three agree", tensor([[3, 5, 5]])),
        lambda draw: Case("two questions, three pairs each", tensor([[7, 4, 9, 4, 7, 9], [6, 9, 2, 2, 9, 6]])),
        lambda draw: Case("the commonest has less than half", tensor([[1, 2, 2, 3, 4], [8, 6, 7, 6, 5]])),
        lambda draw: Case("four questions, seven answers", digits(draw, 4, 7, below=4)),
        lambda draw: Case("as many questions as answers", digits(draw, 5, 5, below=3)),
        lambda draw: Case("all differ", tensor([[8, 1, 9, 5], [2, 9, 0, 4], [6, 7, 3, 5]])),
        lambda draw: Case("one answer each", tensor([[4], [0], [9]])),
        lambda draw: Case("no number was found (-1), large numbers", tensor([[1_204, -1, -1], [31, 52, 52]]))),
    hints=(
        "How many answers to the same question are equal to this one? Count that for each answer.",
        "same = answers[:, :, None] == answers[:, None, :] is [batch, samples, samples]; its sum over the last axis "
        "counts votes; argmax takes the first of the highest; gather takes the answer there."),
    misconceptions=edits({
        "votes = same.sum(dim=2)": {
            "votes = same.sum(dim=2) * 0 + same.sum(dim=(0, 2))": "Votes were counted over all questions. Each has "
            "its own.",
            "votes = same.tril().sum(dim=2)": "Only equal answers that came before were counted. Count all of the row.",
            "votes = same.any(dim=2).int()": "That is the first answer, as if all had equally many votes. "
            "Count how many answers are equal to each: sum."},
        "votes.argmax(dim=1, keepdim=True)": {
            "votes.argmin(dim=1, keepdim=True)": "That is the rarest answer."},
        "answers.gather(1, first_best)[:, 0]": {
            "first_best[:, 0]": "That is the place of the answer among the samples. Return the answer that stands "
            "there.",
            "answers.gather(1, first_best)": "The answers stand in a column, [batch, 1]. Return [batch].",
            "votes.gather(1, first_best)[:, 0]": "That is how many votes it has. Return the answer.",
            "answers[:, first_best[:, 0]]": "Every question's answers were taken at every question's place: [batch, "
            "batch]. Take row by row, with gather.",
            "answers.gather(1, first_best).squeeze()": "`squeeze()` takes the questions' axis away, too, where there "
            "is one. Say which axis goes: [:, 0]."},
    }, versions={
        "Of answers that are equally common you took the smallest, as torch.mode, bincount and unique do. Take the one "
        "that came first.": lambda answers: answers.mode(dim=1).values,
        "Of answers that are equally common you took the largest. Take the one that came first.": largest_of_ties,
        "Of answers that are equally common you took the one that came last. Take the one that came first.":
        likeliest_that_came_last,
        "That is the median. A vote takes the commonest, and does not mind which numbers are large.":
        lambda answers: answers.median(dim=1).values,
        "That is the mean. Two wrong answers do not make a right one between them: take the commonest.":
        lambda answers: answers.float().mean(dim=1).round().long(),
        "That is the largest answer, not the commonest.": lambda answers: answers.amax(dim=1),
        "All questions voted together. Each has an answer of its own.": commonest_of_all,
    }))  # fmt: skip

# A whole chain


def scored(label: str, draw: Draw, batch: int, steps: int, vocabulary: int) -> Case:
    """Scores, and which tokens are right."""
    return Case(label, 2 * draw(batch, steps, vocabulary), digits(draw, batch, steps, below=vocabulary))


def greedy_wholes(logits: Tensor, results: Tensor) -> Tensor:
    """A mistake: counts the chains that greedy writing gets right."""
    return (logits.argmax(dim=-1) == results).all(dim=1).float().mean()


def log_likelihood(logits: Tensor, results: Tensor) -> Tensor:
    """A mistake: the mean log-probability of a chain."""
    return logits.log_softmax(dim=-1).gather(2, results[:, :, None])[:, :, 0].sum(dim=1).mean()


PICKED = "logits.softmax(dim=-1).gather(2, results[:, :, None])[:, :, 0]"
exact_match = Check(
    cases=drawn(
        lambda draw: scored("one chain, two steps", draw, 1, 2, 3),
        lambda draw: scored("five chains of two steps", draw, 5, 2, 4),
        lambda draw: scored("two chains of three steps", draw, 2, 3, 5),
        lambda draw: scored("as many of everything", draw, 4, 4, 4),
        lambda draw: scored("eight steps, twelve words", draw, 3, 8, 12),
        lambda draw: scored("one step", draw, 6, 1, 3)),
    atol=1e-8,
    hints=(
        "First the probability of the right token at each step, then of a whole chain, then the mean over chains.",
        "logits.softmax(dim=-1).gather(2, results[:, :, None])[:, :, 0] is [batch, steps]; .prod(dim=1) multiplies the "
        "steps of each chain; .mean() is over the chains."),
    misconceptions=edits({
        PICKED: {
            "logits.gather(2, results[:, :, None])[:, :, 0]": "Scores are no probabilities: softmax over the "
            "vocabulary first.",
            "logits.log_softmax(dim=-1).gather(2, results[:, :, None])[:, :, 0]": "Logarithms were multiplied. "
            "Multiply probabilities, or add logarithms and take exp.",
            "logits.softmax(dim=1).gather(2, results[:, :, None])[:, :, 0]": "Softmax ran over the steps. It belongs "
            "over the vocabulary, dim=-1.",
            "logits.softmax(dim=0).gather(2, results[:, :, None])[:, :, 0]": "Softmax ran over the chains. It belongs "
            "over the vocabulary, dim=-1.",
            "logits.sigmoid().gather(2, results[:, :, None])[:, :, 0]": "A sigmoid looks at one token alone. The "
            "tokens compete: softmax.",
            "logits.softmax(dim=-1).amax(dim=-1)": "That is the probability of the likeliest token. Take the right "
            "one's."},
        "chances.prod(dim=1).mean()": {
            "chances.mean()": "That is the mean probability of one token. A whole chain has the product of its steps'.",
            "chances[:, -1].mean()": "Only the last step was asked. All have to come out right: multiply.",
            "(1 - (1 - chances).prod(dim=1)).mean()": "That is the chance that at least one step is right. All have "
            "to.",
            "(chances.mean(dim=1) ** chances.shape[1]).mean()": "That is p to the n with each chain's mean p, an "
            "estimate. Multiply the steps' own probabilities.",
            "chances.prod(dim=0).mean()": "You multiplied over the chains. Multiply over the steps, dim=1.",
            "chances.mean(dim=0).prod()": "The mean came before the product. First each chain's product, then mean.",
            "chances.mean() ** chances.shape[1]": "That is p to the n with one mean p, an estimate. Multiply each "
            "chain's own probabilities, then take the mean.",
            "chances.prod()": "All chains were multiplied together. Each has its own product, dim=1; then the mean.",
            "chances.prod(dim=1)": "That is one number for each chain. Take their mean.",
            "chances.prod(dim=1).sum()": "That is the expected number of right chains. The share is the mean.",
            "chances.amin(dim=1).mean()": "That is the weakest step. All have to come out right: multiply.",
            "chances.sum(dim=1).mean()": "Probabilities were added. That all steps come out right has the product."},
    }, versions={
        "That counts the chains that greedy writing gets right. Here each token is drawn: multiply probabilities.":
        greedy_wholes,
        "That is what a typical token has, the geometric mean of all of them: the exponential of minus the loss. A "
        "chain has the product of its own tokens.": lambda logits, results:
        (-F.cross_entropy(logits.mT, results)).exp(),
        "That is the share of right tokens in greedy writing. Here each token is drawn, and the whole chain has to be "
        "right: multiply probabilities.":
        lambda logits, results: (logits.argmax(dim=-1) == results).float().mean(),
        "The mean was taken of the logarithms. First exp, then the mean over the chains.":
        lambda logits, results: log_likelihood(logits, results).exp(),
        "That is the mean log-probability of a chain. Take exp of each chain's sum, then the mean.": log_likelihood,
    }))  # fmt: skip

CHECKS = exercises("06b", {
    "chain": chain, "answer_flops": answer_flops, "majority": majority, "exact_match": exact_match,
})  # fmt: skip
