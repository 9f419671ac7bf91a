// Codes of latent weights over the updates of a run; weights whose codes oscillate are held (Nagel et al. 2022).
#include "float_common.h"
#include "row_code.h"

typedef struct {
  const qk_oscillation *o;
  float *latent;
  uint32_t *counts;
} oscillation_job;

static inline __attribute__((always_inline)) void start_row(const qk_oscillation *o, const float *latent, size_t row,
                                                            const int nested) {
  const size_t width = o->width, first = row * width;
  const float *w = latent + first;
  int8_t *restrict codes = o->code + first, *restrict states = o->state + first;
  float *restrict frequency = o->frequency + first, *restrict mean = o->mean + first;
  const float inverse = 1.0f / row_step_of(o->bits[row], o->sharing, o->scale4, o->scale8, row);
  const float limit = row_limit(o->bits[row]);
  for (size_t c = 0; c < width; c++) {
    const float code = code_of(w[c] * inverse, limit, nested);
    codes[c] = (int8_t)code;
    states[c] = 0;
    frequency[c] = 0.0f;
    mean[c] = code;
  }
}

QK_CLONES static void start_body(void *context, size_t begin, size_t end) {
  const oscillation_job *j = context;
  for (size_t row = begin; row < end; row++) {
    if (row_is_nested(j->o->bits[row], j->o->sharing)) start_row(j->o, j->latent, row, 1);
    else start_row(j->o, j->latent, row, 0);
  }
}

void qk_oscillation_start(const qk_oscillation *o, const float *latent) {
  oscillation_job job = { o, (float *)latent, NULL };  // read only
  qk_parallel_for(o->rows, task_rows(o->width), &job, start_body);
}

static inline __attribute__((always_inline)) void step_row(const oscillation_job *j, size_t row, const int nested) {
  const qk_oscillation *o = j->o;
  const size_t width = o->width;
  int8_t *restrict codes = o->code + row * width, *restrict states = o->state + row * width;
  float *restrict frequency = o->frequency + row * width, *restrict mean = o->mean + row * width;
  float *restrict w = j->latent + row * width;
  const float s = row_step_of(o->bits[row], o->sharing, o->scale4, o->scale8, row), inverse = 1.0f / s;
  const float limit = row_limit(o->bits[row]), momentum = o->momentum, threshold = o->threshold;
  uint32_t oscillating = 0, frozen = 0;
  for (size_t c = 0; c < width; c++) {
    const int32_t previous = codes[c], state = states[c], held = state == QK_WEIGHT_FROZEN;
    const float found = code_of(w[c] * inverse, limit, nested);
    const int32_t change = ((int32_t)found > previous) - ((int32_t)found < previous);
    const float turned = change * state < 0 ? 1.0f : 0.0f;
    const float f = held ? frequency[c] : frequency[c] + momentum * (turned - frequency[c]);
    const float a = held ? mean[c] : mean[c] + momentum * (found - mean[c]);
    const int32_t still = held | (f > threshold);
    const float kept = held ? (float)previous : clamp_code(rintf(a), limit);
    // A whole number; a mean that rounds to −0 becomes 0.
    const int32_t code = (int32_t)(still ? kept : found);
    frequency[c] = f;
    mean[c] = a;
    codes[c] = (int8_t)code;
    states[c] = (int8_t)(still ? QK_WEIGHT_FROZEN : (change != 0 ? change : state));
    w[c] = still ? s * (float)code : w[c];
    oscillating += (uint32_t)(!still & (f > QK_OSCILLATING_FREQUENCY));
    frozen += (uint32_t)still;
  }
  j->counts[2 * row] = oscillating;
  j->counts[2 * row + 1] = frozen;
}

QK_CLONES static void step_body(void *context, size_t begin, size_t end) {
  const oscillation_job *j = context;
  for (size_t row = begin; row < end; row++) {
    if (row_is_nested(j->o->bits[row], j->o->sharing)) step_row(j, row, 1);
    else step_row(j, row, 0);
  }
}

void qk_oscillation_step(const qk_oscillation *o, float *latent, uint32_t *counts) {
  oscillation_job job = { o, latent, counts };
  qk_parallel_for(o->rows, task_rows(o->width), &job, step_body);
}

QK_CLONES static void hold_body(void *context, size_t begin, size_t end) {
  const oscillation_job *j = context;
  const qk_oscillation *o = j->o;
  for (size_t row = begin; row < end; row++) {
    const float s = row_step_of(o->bits[row], o->sharing, o->scale4, o->scale8, row);
    const size_t width = o->width;
    const int8_t *restrict codes = o->code + row * width, *restrict states = o->state + row * width;
    float *restrict w = j->latent + row * width;
    for (size_t c = 0; c < width; c++) w[c] = states[c] == QK_WEIGHT_FROZEN ? s * (float)codes[c] : w[c];
  }
}

void qk_oscillation_hold(const qk_oscillation *o, float *latent) {
  oscillation_job job = { o, latent, NULL };
  qk_parallel_for(o->rows, task_rows(o->width), &job, hold_body);
}

typedef struct {
  size_t count;
  const int8_t *state;
  float *gradient;
} mask_job;

QK_CLONES static void mask_body(void *context, size_t begin, size_t end) {
  const mask_job *j = context;
  const size_t last = qk_min(end * QK_ELEMENT_BLOCK, j->count);
  for (size_t i = begin * QK_ELEMENT_BLOCK; i < last; i++)
    j->gradient[i] = j->state[i] == QK_WEIGHT_FROZEN ? 0.0f : j->gradient[i];
}

void qk_oscillation_mask(size_t count, const int8_t *state, float *gradient) {
  mask_job job = { count, state, gradient };
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, mask_body);
}
