#include "float_common.h"

typedef struct {
  size_t count;
  const qk_adamw_settings *settings;
  const float *gradient;
  float *parameter, *moment1, *moment2;
} adamw_job;

QK_CLONES static void adamw_body(void *context, size_t begin, size_t end) {
  const adamw_job *j = context;
  const qk_adamw_settings s = *j->settings;
  float inverse1 = 1.0f / s.correction1, inverse2 = 1.0f / s.correction2;
  size_t last = qk_min(end * QK_ELEMENT_BLOCK, j->count);
  for (size_t i = begin * QK_ELEMENT_BLOCK; i < last; i++) {
    float p = j->parameter[i];
    float g = s.gradient_factor * j->gradient[i] * (s.relative ? p : 1.0f);
    float m = j->moment1[i] = s.beta1 * j->moment1[i] + (1.0f - s.beta1) * g;
    float v = j->moment2[i] = s.beta2 * j->moment2[i] + (1.0f - s.beta2) * g * g;
    float step = m * inverse1 / (sqrtf(v * inverse2) + s.epsilon);
    float additive = p - s.learning_rate * (step + s.decay * p);
    float factor = 1.0f - s.learning_rate * step;
    float scaled = p * (factor < 0.5f ? 0.5f : factor);
    j->parameter[i] = s.relative ? (scaled < 1e-8f ? 1e-8f : scaled) : additive;
  }
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
  const size_t last = qk_min(end * QK_ELEMENT_BLOCK, j->count);
  for (size_t i = begin * QK_ELEMENT_BLOCK; i < last; i++) {
    const float g = s.gradient_factor * j->gradient[i];
    const float m = j->moment1[i] = s.beta1 * j->moment1[i] + (1.0f - s.beta1) * g;
    const float v = j->moment2[i] = s.beta2 * j->moment2[i] + (1.0f - s.beta2) * g * g;
    j->direction[i] = m * inverse1 / (sqrtf(v * inverse2) + s.epsilon) + s.decay * j->parameter[i];
  }
}

void qk_lamb_direction(size_t count, const qk_adamw_settings *settings, const float *gradient, const float *parameter,
                       float *moment1, float *moment2, float *direction) {
  lamb_job job = { count, settings, gradient, parameter, moment1, moment2, direction };
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, lamb_body);
}
