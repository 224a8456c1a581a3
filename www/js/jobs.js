// @ts-check
// The panel of the jobs: how far each is, what can be done about it, and a form for the next one.

import { element, setText } from "./dom.js";
import { arrange } from "./job-order.js";
import { JobRow } from "./job-row.js";
import { NewJob } from "./new-job.js";
import { Operator, Refused } from "./operator.js";
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
/** @type {NewJob} */
let newJob;
/** @type {Question} */
let question;
/** @type {Map<number, JobRow>} By job. */
const rows = new Map();
/** What a person has asked for and the server has not answered yet, so that it is asked for once.
 * @type {Set<number>} */
const asked = new Set();
let isAllShown = false;
let wasLive = false;
/** What went wrong last, in the language of the moment. */
let trouble = () => "";

/** @param {Work} shared */
export function setUp(shared) {
  work = shared;
  operator = new Operator(() => work.show());
  newJob = new NewJob(operator, (job) => {
    trouble = () => "";
    work.learn(job);
    work.choose(job.id);
    rows.get(job.id)?.focus();
  });
  question = new Question((id, grave) => void carryOut(id, grave));
  element("jobs-all").addEventListener("click", () => {
    isAllShown = !isAllShown;
    work.show();
  });
}

/** @param {Live} live */
export function show(live) {
  const isLive = live.link === "live";
  if (isLive && !wasLive) {
    // It may be another one than before.
    void operator.refresh();
  }
  wasLive = isLive;
  const { jobs } = live.state;
  operator.show();
  newJob.show(isLive && jobs.size === 0);
  question.show(jobs);
  setText("jobs-trouble", trouble());
  showRows(live);
}

/** @param {Live} live */
function showRows(live) {
  const { jobs, jobsOmitted } = live.state;
  const looked = work.shownJob(live)?.id ?? null;
  const { current, over, overCount, omitted } = arrange(jobs.values(), looked, isAllShown);
  const focused = document.activeElement;
  const drawn = new Set([...current, ...over].map((job) => job.id));
  for (const id of rows.keys()) {
    if (!drawn.has(id)) {
      rows.delete(id);
    }
  }
  place(element("jobs-current"), current.map(rowOf));
  place(element("jobs-over"), over.map(rowOf));
  for (const job of [...current, ...over]) {
    rowOf(job).show(job, job.id === looked, operator.mayChange);
  }
  keepFocus(focused);
  showRest(overCount, over.length, omitted + jobsOmitted);
  const isEmpty = live.link !== "asking" && jobs.size === 0;
  setText("no-jobs", operator.mayChange ? strings.jobs.none : strings.jobs.noneYet);
  element("no-jobs").hidden = !isEmpty;
}

/** What is said of the jobs that have no row.
 * @param {number} over @param {number} overShown @param {number} omitted */
function showRest(over, overShown, omitted) {
  element("jobs-over-title").hidden = over === 0;
  const all = element("jobs-all");
  all.hidden = over === overShown && !isAllShown;
  all.setAttribute("aria-expanded", String(isAllShown));
  setText("jobs-all", isAllShown ? strings.jobs.fewer : strings.jobs.all(over));
  setText("jobs-omitted", omitted > 0 ? strings.jobs.omitted(omitted) : "");
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
  if (wish === "cancel" || wish === "remove") {
    question.ask(job, wish);
  } else {
    void carryOut(job.id, wish);
  }
}

/** @param {number} id @param {Wish} wish */
async function carryOut(id, wish) {
  if (asked.has(id)) {
    return;
  }
  asked.add(id);
  trouble = () => "";
  try {
    if (wish === "remove") {
      await operator.remove(`/api/jobs/${id}`);
      work.forget(id);
    } else {
      work.learn(await operator.post(`/api/jobs/${id}/${wish}`));
    }
  } catch (error) {
    const why = () => (error instanceof Refused ? error.why : String(error));
    trouble = () => strings.jobs.trouble[wish](id, why());
    work.show();
  } finally {
    asked.delete(id);
  }
}
