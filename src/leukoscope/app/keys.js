// The keys of the page, and the overlay that says them. What one asks for goes to the rest of the page in this browser as
// an event "smears-act", which is cancelled by whoever did it. Keys never act while somebody types in a field.
const TYPING = "input:not([type=radio], [type=checkbox], [type=range], [type=file]), textarea, select, [contenteditable]";
const PRESSED = "a, button, summary, input, select, textarea";
const ARROWED = "[type=radio], [type=range]";
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const ZOOM = 1.5;

export default {
  template: `
    <div class="keys">
      <button type="button" @click="$refs.help.showModal()" aria-haspopup="dialog">Keys <kbd aria-hidden="true">?</kbd></button>
      <dialog ref="help" aria-labelledby="keys" @click="$event.target === $refs.help && $refs.help.close()">
        <form method="dialog"><h2 id="keys">Keys</h2><button autofocus>Close</button></form>
        <table>
          <tr v-for="[keys, words] in help"><th scope="row"><kbd v-for="key in keys">{{ key }}</kbd></th><td>{{ words }}</td></tr>
        </table>
        <p><label><input type="checkbox" v-model="act"> Keys are active (never while you type in a field)</label></p>
      </dialog>
    </div>
  `,
  props: { classNames: Array, notAssessable: String },
  data: () => ({ act: true }),
  computed: {
    help() {
      return [
        ...this.classNames.slice(0, 9).map((name, index) => [[String(index + 1)], `choose ${name}`]),
        [["N"], `choose ${this.notAssessable}`],
        [["Enter"], "keep the review and go to the next image not reviewed (in the note: Ctrl Enter)"],
        [["U"], "undo the choice, if it is not kept yet"],
        [["\u2190", "\u2192"], "previous and next image (in the list also \u2191 and \u2193)"],
        [["+", "\u2212"], "zoom in and out (also wheel, pinch or double click)"],
        [["Shift \u2190", "\u2191", "\u2192", "\u2193"], "move a zoomed picture (or drag it)"],
        [["0"], "show the whole field again"],
        [["M"], "hide or show the map"],
        [["?"], "show these keys (Esc closes them)"],
      ];
    },
    plain() {
      return {
        n: { say: this.notAssessable },
        u: { takeBack: true },
        enter: { keep: true },
        m: { look: { map: true } },
        "+": { look: { zoom: ZOOM } },
        "=": { look: { zoom: ZOOM } },
        "-": { look: { zoom: 1 / ZOOM } },
        0: { look: { fit: true } },
      };
    },
  },
  created() {
    this.listener = event => this.press(event);
    window.addEventListener("keydown", this.listener);
  },
  unmounted() {
    window.removeEventListener("keydown", this.listener);
  },
  methods: {
    press(event) {
      if (event.altKey || event.isComposing || event.defaultPrevented) {
        return;
      }
      if (event.ctrlKey || event.metaKey) {
        if (event.key === "Enter" && event.target.closest("form.review")) {
          this.ask(event, { keep: true });
        }
      } else if (this.act && !event.target.closest(TYPING)) {
        this.answer(event);
      }
    },
    answer(event) {
      const { help } = this.$refs;
      if (event.key === "?") {
        event.preventDefault();
        help.open ? help.close() : help.showModal();
      } else if (!help.open) {
        this.ask(event, this.translate(event));
      }
    },
    translate({ key, shiftKey, target }) {
      if (key in ARROWS) {
        const [right, down] = ARROWS[key];
        if (target.matches(ARROWED) || (down && !shiftKey)) {
          return null; // they choose, slide or scroll
        }
        return shiftKey ? { look: { pan: [right, down] } } : { step: -right };
      }
      if (key === "Enter" && target.closest(PRESSED)) {
        return null;
      }
      const name = /^[1-9]$/.test(key) && this.classNames[Number(key) - 1];
      return name ? { say: name } : this.plain[key.toLowerCase()];
    },
    ask(event, detail) {
      const asked = new CustomEvent("smears-act", { detail, cancelable: true });
      if (detail && !window.dispatchEvent(asked)) {
        event.preventDefault();
      }
    },
  },
};
