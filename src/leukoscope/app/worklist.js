// The work list, and one image of it at a time beside it: the slot has an article of each, with the id "field-<number>".
// What keys.js asks for by the event "smears-act" is done here. Names of files come from the browser's own list of what
// it sent.
const ORDERS = {
  given: ["Order given", (one, two) => one.number - two.number],
  unsure: ["Least sure first", (one, two) => one.certainty - two.certainty],
  unlike: ["Most unlike first", (one, two) => two.unlike - one.unlike],
};

export default {
  template: `
    <div class="desk" :class="{ empty: !total }">
      <section class="worklist" v-if="total" aria-labelledby="images">
        <p class="done"><strong>{{ reviewed }} of {{ total }} reviewed</strong><span v-if="waiting.length">, {{ waiting.length }}
          still to be read</span></p>
        <progress :value="reviewed" :max="total" aria-label="Reviewed"></progress>
        <div class="choose">
          <label>Show <select v-model="filter" autocomplete="off">
            <option v-for="one in filters" :value="one.key">{{ one.words }} ({{ entries.filter(one.fits).length }})</option>
          </select></label>
          <label>Order <select v-model="order" autocomplete="off">
            <option v-for="(one, key) in orders" :value="key">{{ one[0] }}</option>
          </select></label>
        </div>
        <ul role="listbox" tabindex="0" aria-label="Images" :aria-activedescendant="place < 0 ? null : 'row-' + current"
          ref="list" @keydown="walk">
          <li v-for="one in shown" :key="one.number" role="option" :id="'row-' + one.number" @click="select(one.number)"
            :aria-selected="String(one.number === current)">
            <img :src="one.thumbnail" alt="" loading="lazy">
            <span><span class="title">{{ one.number }}<span class="name" v-if="names[one.number]"> {{ names[one.number] }}</span></span>
              <span class="said">{{ one.opinion || (one.reason ? "Abstained: " + one.reason : "") }}</span>
              <span class="soft" v-if="one.likeliest">{{ one.certainty_words }} {{ one.likeliest }}</span>
              <span class="mark" v-if="one.review">&#10003; reviewed: {{ one.review.summary }}</span></span>
          </li>
          <template v-if="filter === 'all' || filter === 'open'">
            <li v-for="(name, index) in waiting" role="option" aria-selected="false" aria-disabled="true" class="waiting">
              <span :class="['blank', { working: !index }]"></span>
              <span><span class="title name">{{ name }}</span><span class="soft">{{ index ? "waiting" : "being read" }}</span></span>
            </li>
          </template>
        </ul>
        <p class="soft" v-if="entries.length && !shown.length">None of the images read so far.</p>
      </section>
      <section class="bench" ref="bench" tabindex="-1" aria-label="The chosen image">
        <div class="bar" v-if="entry">
          <button type="button" @click="step(-1)" :aria-disabled="!neighbour(-1)">Previous</button>
          <button type="button" @click="step(1)" :aria-disabled="!neighbour(1)">Next</button>
          <p aria-live="polite" class="where"><strong>Image {{ current }}</strong>
            <span class="name" v-if="names[current]">{{ names[current] }}</span>
            <span class="soft" v-if="entry.review">reviewed at {{ tell(entry.review.at) }}: {{ entry.review.summary }}</span></p>
        </div>
        <p role="status" class="news">{{ news }}</p>
        <slot></slot>
      </section>
    </div>
  `,
  // "advance" goes on to the next image that is not reviewed once a first review of one is kept.
  props: { entries: Array, classNames: Array, advance: { type: Boolean, default: true } },
  data: () => ({
    current: null, filter: "all", order: "given", names: {}, waiting: [], news: "", sent: null,
    orders: ORDERS,
  }),
  computed: {
    total() {
      return this.entries.length + this.waiting.length;
    },
    reviewed() {
      return this.entries.filter(one => one.review).length;
    },
    entry() {
      return this.entries.find(one => one.number === this.current);
    },
    filters() {
      return [
        { key: "all", words: "All", fits: () => true },
        { key: "open", words: "Not reviewed", fits: one => !one.review },
        { key: "reviewed", words: "Reviewed", fits: one => one.review },
        { key: "abstained", words: "Abstained", fits: one => one.reason },
        ...this.classNames.map(name => ({ key: `class ${name}`, words: `Likeliest ${name}`, fits: one => one.likeliest === name })),
      ];
    },
    sorted() {
      return [...this.entries].sort((one, two) => ORDERS[this.order][1](one, two) || one.number - two.number);
    },
    shown() {
      return this.sorted.filter(this.filters.find(one => one.key === this.filter).fits);
    },
    place() {
      return this.shown.findIndex(one => one.number === this.current);
    },
  },
  watch: {
    entries(now, before) {
      if (!now.length) {
        [this.current, this.names, this.filter, this.news] = [null, {}, "all", ""];
        return;
      }
      this.current ??= now[0].number;
      const of = list => JSON.stringify(list.find(one => one.number === this.sent)?.review ?? null);
      if (this.sent && of(now) !== of(before)) {
        this.follow(of(before) === "null");
      }
    },
    current() {
      this.rule.textContent = `.bench > article:not(#field-${this.current ?? 0}) { display: none; }`;
    },
    order() {
      this.$nextTick(this.reveal);
    },
    filter() {
      if (this.place < 0 && this.shown.length) {
        this.select(this.shown[0].number);
      }
    },
  },
  created() {
    this.rule = document.createElement("style");
    this.rule.textContent = ".bench > article { display: none; }";
    document.head.append(this.rule);
    this.listeners = {
      "smears-act": event => this.form() && this.obey(event.detail) && event.preventDefault(),
      submit: event => this.mark(event),
      "smears-waiting": event => (this.waiting = event.detail),
      "smears-read": event => (this.names[event.detail.number] = event.detail.name),
    };
    Object.entries(this.listeners).forEach(([name, listener]) => window.addEventListener(name, listener));
  },
  unmounted() {
    this.rule.remove();
    Object.entries(this.listeners).forEach(([name, listener]) => window.removeEventListener(name, listener));
  },
  methods: {
    tell(at) {
      const [then, now] = [new Date(at), new Date()];
      const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      return then.toDateString() === now.toDateString() ? time : `${then.toLocaleDateString()} ${time}`;
    },
    form() {
      return document.querySelector(`#field-${this.current} form.review`);
    },
    // The next one that the filter lets through, from wherever the current one would stand.
    neighbour(by) {
      const numbers = new Set(this.shown.map(one => one.number));
      const line = by > 0 ? this.sorted : [...this.sorted].reverse();
      const here = line.findIndex(one => one.number === this.current);
      return line.slice(here + 1).find(one => numbers.has(one.number))?.number;
    },
    step(by) {
      const number = this.neighbour(by);
      if (number) {
        this.select(number);
      } else {
        this.news = by > 0 ? "This is the last image in the list." : "This is the first image in the list.";
      }
    },
    select(number, news = "") {
      const leaving = document.activeElement?.closest(".bench > article");
      [this.current, this.news] = [number, news];
      if (leaving) {
        this.$refs.bench.focus({ preventScroll: true });
      }
      this.come();
      this.$nextTick(this.reveal);
    },
    // Scrolls the page until the picture and the answers are seen; where the list is a strip above them, that too.
    come() {
      const { top } = this.$refs.bench.getBoundingClientRect();
      const strip = window.matchMedia("(max-width: 48rem)").matches;
      if (top < 0 || top > window.innerHeight * (strip ? 0.7 : 0.25)) {
        this.$refs.bench.scrollIntoView();
      }
    },
    // Scrolls the list, and nothing around it, until its chosen row is seen.
    reveal() {
      const row = document.getElementById(`row-${this.current}`)?.getBoundingClientRect();
      if (row) {
        const box = this.$refs.list.getBoundingClientRect();
        this.$refs.list.scrollTop += Math.min(0, row.top - box.top) + Math.max(0, row.bottom - box.bottom);
        this.$refs.list.scrollLeft += Math.min(0, row.left - box.left) + Math.max(0, row.right - box.right);
      }
    },
    mark(event) {
      const article = event.target.matches("form.review") && event.target.closest(".bench > article");
      if (article) {
        this.sent = Number(article.id.split("-")[1]);
      }
    },
    // A review was kept: said here, since its own form may be out of sight by now.
    follow(first) {
      const [number, one] = [this.sent, this.entries.find(entry => entry.number === this.sent)];
      this.sent = null;
      const news = `Image ${number} kept at ${this.tell(one.review.at)}: ${one.review.summary}.`;
      if (number !== this.current || !this.advance || !first) {
        this.news = news;
        return;
      }
      const here = this.sorted.findIndex(entry => entry.number === number);
      const line = [...this.sorted.slice(here + 1), ...this.sorted.slice(0, here)].filter(entry => !entry.review);
      const fits = this.filter === "reviewed" ? () => true : this.filters.find(each => each.key === this.filter).fits;
      const next = line.find(fits);
      this.select(next?.number ?? number, next ? news : `${news} All images in the list are reviewed.`);
    },
    choose(answer) {
      const radio = [...this.form().elements.namedItem("answer")].find(one => one.value === answer);
      radio.checked = true;
      radio.dispatchEvent(new Event("change", { bubbles: true }));
      this.news = `Image ${this.current}: ${answer}. Enter keeps it, U undoes it.`;
    },
    takeBack() {
      const radio = this.form().querySelector("[name=answer]:checked");
      this.news = radio ? "The choice is undone." : "Nothing is chosen.";
      if (radio) {
        radio.checked = false;
      }
    },
    keep() {
      if (this.form().querySelector("[name=answer]:checked")) {
        this.form().requestSubmit();
      } else {
        this.news = `Choose first: 1 to ${Math.min(9, this.classNames.length)}, or N for not assessable.`;
      }
    },
    look(detail) {
      document.querySelector(`#field-${this.current} .viewer`)?.dispatchEvent(new CustomEvent("look", { detail }));
    },
    // Keys of the list itself.
    walk(event) {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const end = { Home: this.shown[0], End: this.shown.at(-1) }[event.key];
      if (by || end || event.key === " ") {
        event.preventDefault();
        by && !event.shiftKey ? this.step(by) : end && this.select(end.number);
      }
    },
    // Says whether it did anything.
    obey({ say, keep, takeBack, step, look }) {
      if (say) this.choose(say);
      if (keep) this.keep();
      if (takeBack) this.takeBack();
      if (step) this.step(step);
      if (look) this.look(look);
      return true;
    },
  },
};
