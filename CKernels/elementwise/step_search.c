// Errors of candidate steps. Each candidate has a lane of its own, so every error is one chain over the values on any
// instruction set.
#define QK_LANES 16
#include "float_common.h"
#include "lanes.h"

enum { GROUPS = 3, CANDIDATES = GROUPS * QK_LANES };

/// `candidates` is 1…CANDIDATES.
QK_CLONES static void add_errors(size_t count, const float *x, float low, float high, size_t candidates, const float *steps,
                                 float *errors) {
  lanes step[GROUPS], inverse[GROUPS], error[GROUPS];
  float padded[CANDIDATES];
  for (size_t c = 0; c < CANDIDATES; c++) padded[c] = c < candidates ? steps[c] : 1.0f;
  for (int g = 0; g < GROUPS; g++) {
    step[g] = LOAD(padded + g * QK_LANES);
    inverse[g] = 1.0f / step[g];
    error[g] = ALL(0.0f);
  }
  for (size_t i = 0; i < count; i++) {
    const lanes value = ALL(x[i]);
#pragma clang loop unroll(full)
    for (int g = 0; g < GROUPS; g++) {
      const lanes code = CLAMP(ROUND(value * inverse[g]), ALL(low), ALL(high));
      const lanes difference = value - step[g] * code;
      error[g] += difference * difference;
    }
  }
  for (int g = 0; g < GROUPS; g++) STORE(padded + g * QK_LANES, error[g]);
  memcpy(errors, padded, candidates * sizeof *errors);
}

void qk_step_errors(size_t count, const float *x, float low, float high, size_t candidates, const float *steps, float *errors) {
  for (size_t c = 0; c < candidates; c += CANDIDATES)
    add_errors(count, x, low, high, qk_min(candidates - c, CANDIDATES), steps + c, errors + c);
}
