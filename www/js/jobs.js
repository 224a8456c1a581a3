// @ts-check
// The panel of the jobs: how far each is, what can be done about it, and a form for the next one.

import { whyOf } from "./answer.js";
import { element, setText } from "./dom.js";
import { arrange } from "./job-order.js";
import { JobRow } from "./job-row.js";
import { NewJobDoor } from "./new-job-door.js";
import { onKernel } from "./op-name.js";
import { Operator } from "./operator.js";
import { Question } from "./question.js";
import { strings } from "./strings.js";

/** @typedef {import("./job-row.js").Wish} Wish */
/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./protocol.js").JobView} JobView */
/** @typedef {import("./work.js").Work} Work */

/** @type {Work} */
let work;
/** @type {Operator} */
let operator;
/** @type {NewJobDoor} */
let newJob;
/** @type {Question} */
let question;
/** @type {Map<number, JobRow>} By job. */
const rows = new Map();
/** What a person has asked for and the server has not answered yet, so that it is asked for once.
 * @type {Map<number, Wish>} By job. */
const asked = new Map();
let isAllCurrent = false;
let isAllOver = false;
let wasLive = false;
/** What was shown last. @type {Live | undefined} */
let told;
/** What went wrong last: with which job, how that was then, and why, in the language of the moment.
 * @type {{ id: number, state: JobView["state"] | undefined, said: () => string } | null} */
let trouble = null;

/** @param {Work} shared */
export function setUp(shared) {
  work = shared;
  operator = new Operator(() => work.show());
  newJob = new NewJobDoor(operator, (job) => {
    trouble = null;
    work.learn(job);
    work.choose(job.id);
    rows.get(job.id)?.focus();
  });
  onKernel(() => work.show());
  question = new Question((id, grave) => void carryOut(id, grave));
  element("jobs-current-all").addEventListener("click", () => {
    isAllCurrent = !isAllCurrent;
    work.show();
  });
  element("jobs-all").addEventListener("click", () => {
    isAllOver = !isAllOver;
    work.show();
  });
}

/** @param {Live} live */
export function show(live) {
  told = live;
  const isLive = live.link === "live";
  if (isLive && !wasLive) {
    // It may be another one than before, and what the one before said is of no use.
    void operator.refresh();
    trouble = null;
    newJob.refresh();
  }
  wasLive = isLive;
  const { jobs } = live.state;
  operator.show();
  newJob.show(isLive && jobs.size === 0);
  question.show(jobs);
  if (trouble && jobs.get(trouble.id)?.state !== trouble.state) {
    trouble = null;
  }
  setText("jobs-trouble", trouble?.said() ?? operator.trouble);
  showRows(live);
}

/** @param {Live} live */
function showRows(live) {
  const { jobs, jobsOmitted } = live.state;
  const looked = work.shownJob(live)?.id ?? null;
  const focused = document.activeElement;
  const focusedJob = Number(focused?.closest("#jobs-current .job")?.getAttribute("data-job"));
  const sight = { looked, focused: focusedJob, shown: rows, isAllCurrent, isAllOver };
  const { current, currentCount, over, overCount, omitted } = arrange(jobs.values(), sight);
  const drawn = new Set([...current, ...over].map((job) => job.id));
  for (const id of rows.keys()) {
    if (!drawn.has(id)) {
      rows.delete(id);
    }
  }
  place(element("jobs-current"), current.map(rowOf));
  place(element("jobs-over"), over.map(rowOf));
  for (const job of [...current, ...over]) {
    rowOf(job).show(job, job.id === looked, operator.mayChange, asked.get(job.id));
  }
  keepFocus(focused);
  showFold("jobs-current-all", currentCount, current.length, isAllCurrent);
  showFold("jobs-all", overCount, over.length, isAllOver);
  element("jobs-over-title").hidden = overCount === 0;
  const unlisted = omitted + jobsOmitted;
  setText("jobs-omitted", unlisted > 0 ? strings.jobs.omitted(unlisted) : "");
  const isEmpty = live.link !== "asking" && jobs.size === 0;
  setText("no-jobs", operator.mayChange ? strings.jobs.none : strings.jobs.noneYet);
  element("no-jobs").hidden = !isEmpty;
}

/** The button that unfolds a list, where there is more of it than is shown, and folds it again.
 * @param {string} id @param {number} count @param {number} shown @param {boolean} isAll */
function showFold(id, count, shown, isAll) {
  const button = element(id);
  button.hidden = count === shown && !isAll;
  button.setAttribute("aria-expanded", String(isAll));
  setText(id, isAll ? strings.jobs.fewer : strings.jobs.all(count));
}

/** @param {JobView} job */
function rowOf(job) {
  const row = rows.get(job.id) ?? new JobRow(job, { choose: (id) => work.choose(id), wish });
  rows.set(job.id, row);
  return row;
}

/** Puts the rows in their order and moves none that is where it should be.
 * @param {HTMLElement} list @param {JobRow[]} wanted */
function place(list, wanted) {
  wanted.forEach(({ element: row }, nth) => {
    if (list.children[nth] !== row) {
      list.insertBefore(row, list.children[nth] ?? null);
    }
  });
  while (list.children.length > wanted.length) {
    list.lastElementChild?.remove();
  }
}

/** A row that is moved loses the focus. What had it may be hidden by now, or all of its row gone:
 * then it is the row's, or the panel's.
 * @param {Element | null} focused What had it before. */
function keepFocus(focused) {
  const row = focused?.closest(".job");
  const next = [focused, row?.querySelector(".job-choose"), element("jobs-title")];
  for (const each of row ? next : []) {
    if (document.activeElement === document.body && each instanceof HTMLElement) {
      each.focus({ preventScroll: true });
    }
  }
}

/** @param {JobView} job @param {Wish} wish */
function wish(job, wish) {
  if (wish !== "pause" && wish !== "resume") {
    question.ask(job, wish);
  } else {
    void carryOut(job.id, wish);
  }
}

/** @param {number} id @param {Wish} wish */
async function carryOut(id, wish) {
  // Something else may be asked at once: the stream of events may have told already what came of the
  // last, before its answer is here.
  if (asked.get(id) === wish) {
    return;
  }
  asked.set(id, wish);
  trouble = null;
  work.show();
  try {
    if (wish === "remove") {
      await operator.remove(`api/jobs/${id}`);
      work.forget(id);
    } else {
      const job = await operator.post(`api/jobs/${id}/${wish}`);
      if (asked.get(id) === wish) {
        work.learn(job);
      }
    }
  } catch (error) {
    const state = told?.state.jobs.get(id)?.state;
    trouble = { id, state, said: () => strings.jobs.trouble[wish](id, whyOf(error)) };
  } finally {
    if (asked.get(id) === wish) {
      asked.delete(id);
    }
    work.show();
  }
}
