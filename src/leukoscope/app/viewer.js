// One field to zoom into and to move, with its map in step. The full-size picture is asked for once it would show more.
const MOST = 8; // times as large as it fits, or four screen pixels a pixel of the field

export default {
  template: `
    <div class="viewer" @look="obey($event.detail)">
      <div class="frame" ref="frame" :style="{ aspectRatio: width + ' / ' + height, '--shape': width / height }"
        :class="{ zoomed: scale > 1, moving: pointers.size }" @wheel="wheel" @dblclick="zoom(2, $event)"
        @pointerdown="grasp" @pointermove="move" @pointerup="release" @pointercancel="release">
        <div class="stack stage" :style="{ transform: 'translate(' + x + 'px, ' + y + 'px) scale(' + scale + ')' }">
          <img class="picture" :src="picture" :alt="words" loading="lazy" draggable="false" ref="picture" @load="sharpen">
          <img class="full" v-if="sharp" :src="full" alt="" draggable="false">
          <img class="heat" v-if="heat" v-show="!bare" :src="heat" alt="" loading="lazy" draggable="false">
        </div>
      </div>
      <div class="bar" role="group" :aria-label="'Zoom, ' + words">
        <button type="button" @click="zoom(1 / 1.5)" :aria-disabled="scale === 1" aria-label="Zoom out">&minus;</button>
        <button type="button" @click="zoom(1.5)" :aria-disabled="scale >= most()" aria-label="Zoom in">+</button>
        <button type="button" @click="fit" :aria-disabled="scale === 1">Fit</button>
        <output aria-label="Zoom">{{ scale.toFixed(1) }} &times;</output>
        <span class="soft">{{ width }} &times; {{ height }} pixels<span v-if="poor">, shown at a lower resolution (app.max_full_bytes)</span></span>
      </div>
    </div>
  `,
  props: { picture: String, full: String, heat: String, words: String, width: Number, height: Number, poor: Boolean },
  data: () => ({ scale: 1, x: 0, y: 0, sharp: false, bare: false, pointers: new Map() }),
  methods: {
    most() {
      return Math.max(MOST, (4 * this.width) / (this.$refs.frame?.clientWidth || this.width));
    },
    obey({ zoom, pan, fit, map }) {
      if (zoom) this.zoom(zoom);
      if (pan) this.shift(80 * pan[0], 80 * pan[1]);
      if (fit) this.fit();
      if (map) this.bare = !this.bare;
    },
    fit() {
      [this.scale, this.x, this.y] = [1, 0, 0];
    },
    // What is under the pointer, or in the middle, stays there.
    zoom(by, at) {
      const box = this.$refs.frame.getBoundingClientRect();
      const [left, top] = at ? [at.clientX - box.left, at.clientY - box.top] : [box.width / 2, box.height / 2];
      const scale = Math.min(this.most(), Math.max(1, this.scale * by));
      const grown = scale / this.scale;
      this.scale = scale;
      this.x = left - grown * (left - this.x);
      this.y = top - grown * (top - this.y);
      this.shift(0, 0);
      this.sharpen();
    },
    shift(right, down) {
      const { clientWidth, clientHeight } = this.$refs.frame;
      this.x = Math.min(0, Math.max(clientWidth * (1 - this.scale), this.x + right));
      this.y = Math.min(0, Math.max(clientHeight * (1 - this.scale), this.y + down));
    },
    sharpen() {
      const pixels = this.$refs.frame.clientWidth * this.scale * window.devicePixelRatio;
      this.sharp ||= Boolean(this.full) && pixels > 1.05 * this.$refs.picture.naturalWidth;
    },
    wheel(event) {
      if (this.scale === 1 && event.deltaY > 0 && !event.ctrlKey) {
        return; // there is nothing to zoom out of: the page scrolls
      }
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
      this.zoom(Math.exp(-lines * event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event);
    },
    grasp(event) {
      if (event.button === 0) {
        this.$refs.frame.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, event);
      }
    },
    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) {
        return;
      }
      const other = [...this.pointers.values()].find(one => one.pointerId !== event.pointerId);
      this.pointers.set(event.pointerId, event);
      if (!other) {
        this.shift(event.clientX - before.clientX, event.clientY - before.clientY);
        return;
      }
      const apart = one => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      this.shift((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
      this.zoom(apart(event) / apart(before), middle);
    },
    release(event) {
      this.pointers.delete(event.pointerId);
    },
  },
};
