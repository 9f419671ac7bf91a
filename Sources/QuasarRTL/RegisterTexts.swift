/// The register map as SystemVerilog, C, Markdown and SystemRDL.
extension RegisterMap {
  private static func hexadecimal(_ value: Int, digits: Int = 2) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  /// Fields with a name of their own: registers of one number have none.
  private static func named(_ register: Register) -> [Field] { register.fields.filter { $0.name != "VALUE" } }

  /// `engine/quasar_registers_pkg.sv`.
  public static var systemVerilog: String {
    var lines = [
      "// Offsets and fields of the engine's registers. Generated from RegisterMap in Swift; do not change it here.",
      "package quasar_registers_pkg;",
      "  localparam [31:0] IDENTIFICATION = 32'h\(hexadecimal(Int(identification), digits: 8).lowercased());",
      "  localparam [15:0] VERSION_MAJOR = 16'd\(version.major);",
      "  localparam [15:0] VERSION_MINOR = 16'd\(version.minor);",
      "  localparam integer COUNTERS = \(counters.count);  // of 32 bits",
      "",
      "  // Errors.",
    ]
    for (number, error) in errors.enumerated() {
      lines.append("  localparam [3:0] ERROR_\(error.name) = 4'd\(number);  // \(error.text)")
    }
    for register in registers {
      lines.append("")
      lines.append("  // \(register.text).")
      lines.append(
        "  localparam [11:0] \(register.name) = 12'h\(hexadecimal(register.offset, digits: 3).lowercased());")
      for field in named(register) {
        let name = "\(register.name)_\(field.name)"
        if field.bits == 1 {
          lines.append("  localparam integer \(name)_BIT = \(field.low);  // \(field.text)")
        } else {
          lines.append("  localparam integer \(name)_LOW = \(field.low);  // \(field.text)")
          lines.append("  localparam integer \(name)_BITS = \(field.bits);")
        }
      }
    }
    return (lines + ["endpackage"]).joined(separator: "\n") + "\n"
  }

  /// `quasar_engine_registers.h`.
  public static var cHeader: String {
    var lines = [
      "/* Offsets and fields of the engine's registers. Generated from RegisterMap in Swift. */",
      "#ifndef QUASAR_ENGINE_REGISTERS_H",
      "#define QUASAR_ENGINE_REGISTERS_H",
      "",
      "#define QUASAR_IDENTIFICATION 0x\(hexadecimal(Int(identification), digits: 8))u",
      "#define QUASAR_VERSION_MAJOR \(version.major)u",
      "#define QUASAR_VERSION_MINOR \(version.minor)u",
      "",
    ]
    for (number, error) in errors.enumerated() {
      lines.append("#define QUASAR_ERROR_\(error.name) \(number)u /* \(error.text) */")
    }
    for register in registers {
      lines.append("")
      lines.append("/* \(register.text). */")
      lines.append("#define QUASAR_\(register.name) 0x\(hexadecimal(register.offset, digits: 3))u")
      for field in named(register) {
        let name = "QUASAR_\(register.name)_\(field.name)"
        let mask = ((1 << field.bits) - 1) << field.low
        lines.append("#define \(name) 0x\(hexadecimal(mask, digits: 8))u /* \(field.text) */")
        if field.bits > 1 { lines.append("#define \(name)_SHIFT \(field.low)") }
      }
    }
    return (lines + ["", "#endif"]).joined(separator: "\n") + "\n"
  }

  /// A table of registers, then one of errors.
  public static var markdown: String {
    func access(_ field: Field) -> String {
      switch field.access {
      case .readOnly: "read"
      case .readWrite: "read, write"
      case .action: "write 1 to act"
      case .writeOneToClear: "write 1 to clear"
      }
    }
    func bits(_ field: Field) -> String {
      field.bits == 1 ? "\(field.low)" : "\(field.low + field.bits - 1)…\(field.low)"
    }
    var lines = [
      "# Registers of the engine", "", "| offset | register | bits | access | meaning |", "|---|---|---|---|---|",
    ]
    for register in registers {
      let fields = named(register)
      let only = register.fields[0]
      let (range, way) = fields.isEmpty ? (bits(only), access(only)) : ("", "")
      lines.append("| \(hexadecimal(register.offset)) | \(register.name) | \(range) | \(way) | \(register.text) |")
      for field in fields {
        lines.append("| | \(field.name) | \(bits(field)) | \(access(field)) | \(field.text) |")
      }
    }
    lines += ["", "| error | name | meaning |", "|---|---|---|"]
    for (number, error) in errors.enumerated() { lines.append("| \(number) | \(error.name) | \(error.text) |") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// SystemRDL 2.0.
  public static var systemRDL: String {
    func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\\\"") + "\"" }
    func properties(_ access: Access) -> String {
      switch access {
      case .readOnly: "sw = r; hw = w;"
      case .readWrite: "sw = rw; hw = r;"
      case .action: "sw = w; hw = r; singlepulse;"
      case .writeOneToClear: "sw = rw; hw = w; woclr; hwset;"
      }
    }
    var lines = [
      "// Generated from RegisterMap in Swift.",
      "addrmap quasar_engine {",
      "  name = \"Registers of the engine\";",
      "  default regwidth = 32;",
      "  default accesswidth = 32;",
    ]
    for register in registers {
      lines.append("  reg {")
      lines.append("    desc = \(quoted(register.text));")
      for field in register.fields {
        lines.append("    field { \(properties(field.access)) desc = \(quoted(field.text)); }")
        let reset =
          field.access == .readOnly ? "" : " = \(field.bits)'h\(hexadecimal(Int(register.reset) >> field.low))"
        lines.append("      \(field.name)[\(field.low + field.bits - 1):\(field.low)]\(reset);")
      }
      lines.append("  } \(register.name) @ 0x\(hexadecimal(register.offset, digits: 3));")
    }
    return (lines + ["};"]).joined(separator: "\n") + "\n"
  }
}
