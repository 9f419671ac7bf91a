// Features of an AArch64 CPU, as the operating system reports them.
#if defined(__aarch64__)
#include "kernels_arm.h"

#if defined(__linux__)
#include <sys/auxv.h>

// Bits of the words that the kernel hands to every process.
#define HWCAP_DOT_PRODUCT (1ul << 20)
#define HWCAP2_BYTE_MATRICES (1ul << 13)

int qk_cpu_has_neondot(void) { return (getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCT) != 0; }
int qk_cpu_has_neoni8mm(void) { return (getauxval(AT_HWCAP2) & HWCAP2_BYTE_MATRICES) != 0; }

#elif defined(__APPLE__)
#include <stddef.h>
#include <sys/sysctl.h>

static int has(const char *feature) {
  int value = 0;
  size_t bytes = sizeof value;
  return sysctlbyname(feature, &value, &bytes, NULL, 0) == 0 && value != 0;
}

int qk_cpu_has_neondot(void) { return has("hw.optional.arm.FEAT_DotProd"); }
int qk_cpu_has_neoni8mm(void) { return has("hw.optional.arm.FEAT_I8MM"); }

#else
int qk_cpu_has_neondot(void) { return 0; }
int qk_cpu_has_neoni8mm(void) { return 0; }
#endif
#endif
