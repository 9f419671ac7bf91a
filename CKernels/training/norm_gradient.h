// Backward pass of LayerNorm and its quantiser. The quantiser's input is computed again from x and the row's two
// numbers. One of the bodies in passes_table.h.

/// With n = (x − mean)·inverse, u = n·weight + bias, h the gradient of n: gx = inverse·(h − mean(h) − n·mean(h·n)).
QK_CLONES static void norm_backward(const qk_norm_gradient *o) {
  const size_t width = o->width;
  const float inverse_step = 1.0f / o->step;
  const lanes low = ALL(o->lo), high = ALL(o->hi), zero = { 0 };
  memset(o->gweight, 0, width * sizeof(float));
  memset(o->gbias, 0, width * sizeof(float));
  memset(o->gstep, 0, width * sizeof(float));
  for (size_t r = 0; r < o->rows; r++) {
    const float *x = o->x + r * width, *g = o->gcodes + r * width, *through = o->through + r * width;
    float *gx = o->gx + r * width;
    const float mean = o->statistics[2 * r], inverse = o->statistics[2 * r + 1];
    lanes sums = { 0 }, dots = { 0 };
    for (size_t c = 0; c < width; c += QK_LANES) {
      // Fetches rows of x, which come from memory.
      FETCH(x + c, 8 * width * sizeof *x);
      const lanes n = (LOAD(x + c) - mean) * inverse, weight = LOAD(o->weight + c), gradient = LOAD(g + c);
      const lanes scaled = n * weight;
      const lanes v = (scaled + LOAD(o->bias + c)) * inverse_step;
      const int_lanes below = v < low, above = v > high;
      const lanes slope = CHOOSE(below, low, CHOOSE(above, high, ROUND(v) - v));
      const lanes passed = CHOOSE(below | above, zero, gradient);
      const lanes h = passed * weight;
      STORE(o->gstep + c, LOAD(o->gstep + c) + gradient * slope);
      STORE(o->gweight + c, LOAD(o->gweight + c) + passed * n);
      STORE(o->gbias + c, LOAD(o->gbias + c) + passed);
      sums += h;
      dots += h * n;
      STORE(gx + c, h);
    }
    const float mean_h = SUM_OF(sums) / (float)width, mean_dot = SUM_OF(dots) / (float)width;
    for (size_t c = 0; c < width; c += QK_LANES) {
      const lanes n = (LOAD(x + c) - mean) * inverse;
      const lanes own = (LOAD(gx + c) - mean_h - n * mean_dot) * inverse;
      STORE(gx + c, LOAD(through + c) + own);
    }
  }
}
