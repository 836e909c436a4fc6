// New questions of tasks in words, for screen readers: each one, or, of many, the number of tasks and the first question. Pure
// functions; announcer.js decides when they are spoken.

import { shortened } from "./cut-text.js";
import { count, humanise } from "./format.js";
import { plainWords } from "./plain-words.js";
import { approvalOf, spokenApproval, spokenQuestion } from "./question-words.js";

const EACH = 2; // more tasks that ask are summed up
const TEXT = 200;

/** The sentences for new questions, given as `{task, question}`. */
export function questionNews(asked, now) {
  const one = ({ task, question }) =>
    approvalOf(question)
      ? spokenApproval(approvalOf(question))
      : `${humanise(task.name)} asks: ${spokenQuestion(question, shortened(plainWords(question.text), TEXT), now)}`;
  if (asked.length <= EACH) return asked.map(one);
  const tasks = new Set(asked.map(({ task }) => task.task_id)).size;
  const who =
    tasks === 1 ? `${humanise(asked[0].task.name)} asks ${count(asked.length, "question")}` : `${tasks} tasks ask`;
  return [`${who}. The first: ${one(asked[0])}`];
}
