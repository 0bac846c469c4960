// Small helpers for building the page. Text from people only ever goes in as text.

export const $ = (selector, root = document) => root.querySelector(selector);

/** An element with classes and children; a string child is text. */
export function el(tag, className = '', ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Shows `element` with `text`, or hides it when there is none. */
export function say(element, text) {
  element.textContent = text ?? '';
  element.hidden = !text;
}

/** A disc with the first letter of a name, in a colour that stays with the user. */
export function avatar(element, user) {
  element.textContent = [...user.name][0]?.toUpperCase() ?? '?';
  element.dataset.tone = user.id % 8;
  return element;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

export const timeOf = (date) => clock.format(date);
export const fullTime = (date) => full.format(date);

/** Whole days from `date` to today by the calendar of the reader. */
function daysAgo(date) {
  const midnight = (value) => new Date(value.getFullYear(), value.getMonth(), value.getDate());
  return Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
}

export function dayOf(date) {
  const ago = daysAgo(date);
  return ago === 0 ? 'Today' : ago === 1 ? 'Yesterday' : weekday.format(date);
}

/** As short as a list wants it. */
export function when(date) {
  const ago = daysAgo(date);
  return ago === 0 ? clock.format(date) : ago === 1 ? 'Yesterday' : short.format(date);
}
