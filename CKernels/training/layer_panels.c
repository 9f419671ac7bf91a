#include "layer_panels.h"
#include "ckernels/profile.h"
#include "../elementwise/float_common.h"

/// Columns of a task: whole panels, some tens of KiB.
enum { TASK_COLUMNS = 4 * QK_GRADIENT_COLUMNS };

void qk_take_layer_panels(const qk_training_block *b, qk_memory *memory, qk_layer_panels *p) {
  *p = (qk_layer_panels){ .form = b->gradient_form, .layers = { &b->qkv, &b->projection, &b->expand, &b->contract } };
  for (int i = 0; i < QK_BLOCK_LAYERS; i++)
    p->panels[i] = qk_take(memory, qk_gradient_panel_bytes(p->form, (size_t)p->layers[i]->rows, (size_t)p->layers[i]->depth));
}

static size_t tasks_of(const qk_training_linear *layer) { return qk_blocks((size_t)layer->depth, TASK_COLUMNS); }

static void fill_columns(const qk_layer_panels *p, int i, size_t task) {
  const qk_training_linear *layer = p->layers[i];
  const size_t rows = (size_t)layer->rows, depth = (size_t)layer->depth, first = task * TASK_COLUMNS;
  const size_t count = qk_min(TASK_COLUMNS, depth - first);
  QK_PHASE("weights to panels", QK_RESOURCE_MEMORY,
           (double)rows * (double)count * (1 + (double)qk_gradient_element(p->form)),
           qk_gradient_code_panels(p->form, rows, count, layer->codes + first, depth, 0, 0,
                                   p->panels[i] + qk_gradient_panel_bytes(p->form, rows, first)));
}

static void fill_tasks(void *context, size_t begin, size_t end) {
  const qk_layer_panels *p = context;
  size_t first = 0;
  for (int i = 0; i < QK_BLOCK_LAYERS; first += tasks_of(p->layers[i]), i++)
    for (size_t task = 0; task < tasks_of(p->layers[i]); task++)
      if (first + task >= begin && first + task < end) fill_columns(p, i, task);
}

void qk_fill_layer_panels(qk_layer_panels *p) {
  size_t tasks = 0;
  for (int i = 0; i < QK_BLOCK_LAYERS; i++) tasks += tasks_of(p->layers[i]);
  qk_parallel_for(tasks, 1, p, fill_tasks);
}

const void *qk_panels_of(const qk_layer_panels *p, const qk_training_linear *layer) {
  int i = 0;
  while (p->layers[i] != layer) i++;
  return p->panels[i];
}
