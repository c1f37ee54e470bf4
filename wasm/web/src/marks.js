// Findings in the text: underlines, a mark beside the line, and what is said when
// somebody points at either. They move with the text until the next result.

import { RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, gutter, hoverTooltip } from "@codemirror/view";

import { h } from "./dom.js";

/** @typedef {import("@backstop-db/lint").Severity} Severity */
/** @typedef {{ from: number, to: number, severity: Severity, tip: () => Node }} Mark */

/** The worst comes first. @type {Severity[]} */
const SEVERITIES = ["error", "warning", "note"];

/** @type {import("@codemirror/state").StateEffectType<Mark[]>} */
export const setMarks = StateEffect.define();

class Beside extends GutterMarker {
  /** @param {Severity} severity */
  constructor(severity) {
    super();
    this.severity = severity;
  }
  /** @param {Beside} other @override */
  eq(other) {
    return other.severity === this.severity;
  }
  /** @override */
  toDOM() {
    return h("div", { class: `mark mark-${this.severity}` });
  }
}

const beside = Object.fromEntries(SEVERITIES.map((severity) => [severity, new Beside(severity)]));

/** @type {StateField<import("@codemirror/state").RangeSet<Decoration>>} */
const ranges = StateField.define({
  create: () => Decoration.none,
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setMarks)) {
        return Decoration.set(together(effect.value).map((marks) =>
          Decoration.mark({ class: `range range-${marks[0].severity}`, marks }).range(marks[0].from, marks[0].to)), true);
      }
    }
    return value.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** @type {StateField<RangeSet<GutterMarker>>} */
const lines = StateField.define({
  create: () => RangeSet.empty,
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setMarks)) {
        /** @type {Map<number, Severity>} */
        const worst = new Map();
        for (const { from, severity } of effect.value) {
          const line = transaction.state.doc.lineAt(from).from;
          const known = worst.get(line);
          if (!known || SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(known)) worst.set(line, severity);
        }
        return RangeSet.of([...worst].map(([line, severity]) => beside[severity].range(line)), true);
      }
    }
    return value.map(transaction.changes);
  },
});

/**
 * Marks of the same place, the worst first. What has no width cannot be underlined: the
 * mark beside its line stands for it.
 *
 * @param {Mark[]} marks
 */
function together(marks) {
  /** @type {Map<string, Mark[]>} */
  const places = new Map();
  for (const mark of marks.filter(({ from, to }) => from < to)) {
    const place = `${mark.from} ${mark.to}`;
    places.set(place, [...(places.get(place) ?? []), mark]);
  }
  return [...places.values()].map((marks) => marks.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)));
}

/** The marks in a part of the text. @param {EditorView} view @param {number} from @param {number} to */
function within(view, from, to) {
  /** @type {{ from: number, to: number, mark: Mark }[]} */
  const found = [];
  view.state.field(ranges).between(from, to, (from, to, { spec }) => {
    found.push(.../** @type {Mark[]} */ (spec.marks).map((mark) => ({ from, to, mark })));
  });
  return found.sort((a, b) => SEVERITIES.indexOf(a.mark.severity) - SEVERITIES.indexOf(b.mark.severity));
}

/** @param {EditorView} view @param {number} from @param {number} to */
function tooltip(view, from, to) {
  const found = within(view, from, to);
  if (found.length === 0) return null;
  return {
    pos: Math.min(...found.map((one) => one.from)),
    end: Math.max(...found.map((one) => one.to)),
    above: true,
    create: () => ({ dom: h("div", { class: "tips" }, found.slice(0, 8).map(({ mark }) => h("div", { class: `tip tip-${mark.severity}` }, mark.tip()))) }),
  };
}

export function marks() {
  return [
    ranges,
    lines,
    gutter({ class: "cm-marks", markers: (view) => view.state.field(lines), initialSpacer: () => beside.error }),
    hoverTooltip((view, at) => tooltip(view, at, at), { hideOnChange: true, hoverTime: 200 }),
  ];
}
