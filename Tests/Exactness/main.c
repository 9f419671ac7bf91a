// usage: exactness [GROUP …]; without groups, all run. Exit status 1 when a case fails.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "exactness.h"

static long cases[QK_ISA_COUNT], failures[QK_ISA_COUNT], group_cases;

void count_case(qk_isa isa, int bad, const char *form, ...) {
  cases[isa]++;
  group_cases++;
  if (!bad) return;
  if (++failures[isa] > 10) return;
  va_list arguments;
  va_start(arguments, form);
  printf("FAIL %s: ", qk_isa_name(isa));
  vprintf(form, arguments);
  printf("\n");
  va_end(arguments);
}

int instruction_sets(qk_isa sets[QK_ISA_COUNT]) {
  int count = 0;
  for (int isa = 0; isa < QK_ISA_COUNT; isa++)
    if (qk_isa_available((qk_isa)isa)) sets[count++] = (qk_isa)isa;
  return count;
}

typedef struct group {
  const char *name;
  void (*check)(void);
} group;

static const group groups[] = {
  { "micro-kernels", check_micro_kernels }, { "products", check_products },     { "shapes", check_shapes },
  { "forms", check_forms },                 { "ordered-rows", check_ordered },  { "extremes", check_extremes },
  { "ranges", check_ranges },
  { "attention", check_attention },         { "layer-norm", check_layer_norm },
  { "datapath", check_datapath },           { "training", check_training_bits },
};

static int wanted(const char *name, int count, char **names) {
  for (int i = 1; i < count; i++)
    if (strcmp(names[i], name) == 0) return 1;
  return count == 1;
}

int main(int argument_count, char **arguments) {
  int found = 0;
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
    if (!wanted(groups[g].name, argument_count, arguments)) continue;
    found++;
    group_cases = 0;
    const time_t start = time(NULL);
    groups[g].check();
    printf("%-14s %8ld cases %5ld s\n", groups[g].name, group_cases, (long)(time(NULL) - start));
    fflush(stdout);
  }
  if (found < argument_count - 1 || found == 0) {
    fprintf(stderr, "usage: %s [GROUP ...]; groups:", arguments[0]);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) fprintf(stderr, " %s", groups[g].name);
    fprintf(stderr, "\n");
    return 64;
  }
  int bad = 0;
  for (int isa = 0; isa < QK_ISA_COUNT; isa++) {
    if (!qk_isa_available((qk_isa)isa)) {
      printf("%-12s not available\n", qk_isa_name((qk_isa)isa));
      continue;
    }
    printf("%-12s %8ld cases, %ld failures  %s\n", qk_isa_name((qk_isa)isa), cases[isa], failures[isa],
           failures[isa] == 0 ? "pass" : "FAIL");
    bad |= failures[isa] != 0;
  }
  return bad;
}
