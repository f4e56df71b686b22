// Keeps in this browser's tab what the reader entered at the top, so that it outlasts a reload, and tells the server a name of
// the browser that says nothing: what was shown to nobody by name was shown to whoever sits here.
const ENTERED = { reviewer: "value", blind: "checked" };
const BROWSER = "leukoscope-browser";

export default {
  template: "<span hidden></span>",
  created() {
    this.listener = ({ target }) => {
      if (target.id in ENTERED) {
        sessionStorage.setItem(`leukoscope-${target.id}`, JSON.stringify(target[ENTERED[target.id]]));
      }
    };
    window.addEventListener("change", this.listener);
  },
  mounted() {
    if (!localStorage.getItem(BROWSER)) {
      localStorage.setItem(BROWSER, crypto.randomUUID());
    }
    this.$emit("browser", localStorage.getItem(BROWSER));
    setTimeout(() => this.restore()); // once all that listens is there
  },
  unmounted() {
    window.removeEventListener("change", this.listener);
  },
  methods: {
    restore() {
      for (const [id, name] of Object.entries(ENTERED)) {
        const kept = sessionStorage.getItem(`leukoscope-${id}`);
        const field = document.getElementById(id);
        if (kept !== null && field && field[name] !== JSON.parse(kept)) {
          field[name] = JSON.parse(kept);
          field.dispatchEvent(new Event("change", { bubbles: true }));
        }
      }
    },
  },
};
