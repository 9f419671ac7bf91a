#include "float_common.h"

typedef struct {
  size_t count;
  const qk_adamw_settings *settings;
  const float *gradient;
  float *parameter, *moment1, *moment2;
} adamw_job;

/// Updates the moments of element i with its gradient g; returns m̂/(√v̂ + eps). sqrtf would set errno, which keeps a
/// loop scalar.
static inline __attribute__((always_inline)) float adam_direction(const qk_adamw_settings *s, float inverse1, float inverse2,
                                                                  float g, float *moment1, float *moment2) {
  const float m = *moment1 = s->beta1 * *moment1 + (1.0f - s->beta1) * g;
  const float v = *moment2 = s->beta2 * *moment2 + (1.0f - s->beta2) * g * g;
  return m * inverse1 / (__builtin_elementwise_sqrt(v * inverse2) + s->epsilon);
}

static inline __attribute__((always_inline)) void adamw_range(const adamw_job *j, size_t begin, size_t end, const int relative,
                                                               const int is_zero) {
  const qk_adamw_settings s = *j->settings;
  const float inverse1 = 1.0f / s.correction1, inverse2 = 1.0f / s.correction2;
  const float *restrict gradient = j->gradient;
  float *restrict parameter = j->parameter;
  float *restrict moment1 = j->moment1, *restrict moment2 = j->moment2;
  for (size_t i = begin; i < end; i++) {
    const float p = parameter[i];
    const float g = is_zero ? 0.0f : s.gradient_factor * gradient[i] * (relative ? p : 1.0f);
    const float step = adam_direction(&s, inverse1, inverse2, g, &moment1[i], &moment2[i]);
    if (relative) {
      const float factor = 1.0f - s.learning_rate * step;
      const float scaled = p * (factor < 0.5f ? 0.5f : factor);
      parameter[i] = scaled < 1e-8f ? 1e-8f : scaled;
    } else {
      parameter[i] = p - s.learning_rate * (step + s.decay * p);
    }
  }
}

QK_CLONES static void adamw_body(void *context, size_t begin, size_t end) {
  const adamw_job *j = context;
  const size_t first = begin * QK_ELEMENT_BLOCK, last = qk_min(end * QK_ELEMENT_BLOCK, j->count);
  if (j->gradient == NULL) adamw_range(j, first, last, j->settings->relative, 1);
  else if (j->settings->relative) adamw_range(j, first, last, 1, 0);
  else adamw_range(j, first, last, 0, 0);
}

void qk_adamw_step(size_t count, const qk_adamw_settings *settings, const float *gradient, float *parameter,
                   float *moment1, float *moment2) {
  adamw_job job = {count, settings, gradient, parameter, moment1, moment2};
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, adamw_body);
}

typedef struct {
  size_t count;
  float decay;
  const float *parameter;
  float *average;
} average_job;

QK_CLONES static void average_body(void *context, size_t begin, size_t end) {
  const average_job *j = context;
  const size_t last = qk_min(end * QK_ELEMENT_BLOCK, j->count);
  for (size_t i = begin * QK_ELEMENT_BLOCK; i < last; i++)
    j->average[i] += (1.0f - j->decay) * (j->parameter[i] - j->average[i]);
}

void qk_average_step(size_t count, float decay, const float *parameter, float *average) {
  average_job job = { count, decay, parameter, average };
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, average_body);
}

typedef struct {
  size_t count;
  const qk_adamw_settings *settings;
  const float *gradient, *parameter;
  float *moment1, *moment2, *direction;
} lamb_job;

QK_CLONES static void lamb_body(void *context, size_t begin, size_t end) {
  const lamb_job *j = context;
  const qk_adamw_settings s = *j->settings;
  const float inverse1 = 1.0f / s.correction1, inverse2 = 1.0f / s.correction2;
  const float *restrict gradient = j->gradient, *restrict parameter = j->parameter;
  float *restrict moment1 = j->moment1, *restrict moment2 = j->moment2;
  float *restrict out = j->direction;
  const size_t last = qk_min(end * QK_ELEMENT_BLOCK, j->count);
  for (size_t i = begin * QK_ELEMENT_BLOCK; i < last; i++) {
    const float g = gradient ? s.gradient_factor * gradient[i] : 0.0f;
    out[i] = adam_direction(&s, inverse1, inverse2, g, &moment1[i], &moment2[i]) + s.decay * parameter[i];
  }
}

void qk_lamb_direction(size_t count, const qk_adamw_settings *settings, const float *gradient, const float *parameter,
                       float *moment1, float *moment2, float *direction) {
  lamb_job job = { count, settings, gradient, parameter, moment1, moment2, direction };
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, lamb_body);
}
