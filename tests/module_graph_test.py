"""The check of the graph of crates and modules finds circles and wrong dependencies, and nothing else.

    python3 tests/module_graph_test.py
"""

import pathlib
import sys
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# No folder of compiled scripts beside the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / ".ci"))

import module_graph  # noqa: E402


class Crate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, **files):
        for name, text in files.items():
            path = self.folder / (name.replace("__", "/") + ".rs")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def edges(self):
        graph = module_graph.modules(self.folder)
        return {(one, other) for one, others in graph.items() for other in others}

    def circles(self):
        return module_graph.circles(module_graph.modules(self.folder))


class Paths(Crate):
    def test_every_way_to_name_a_module_counts(self):
        self.write(
            a="use crate::{b::{self, X}, c as other};",
            a__deep__er="fn f() { let x: super::super::super::d::D; }\nmod inner { use super::super::super::super::e::E; }",
            b="fn f() -> Option<crate::e::E> { None }",
            c="pub(crate) use super::d;",
            d="",
            e="",
        )
        self.assertEqual(
            self.edges(), {("a", "b"), ("a", "c"), ("a", "d"), ("a", "e"), ("b", "e"), ("c", "d")}
        )

    def test_what_the_root_hands_on_is_its_module_s(self):
        self.write(lib="mod a;\nmod b;\npub use b::{Thing, inner::Other as Else};", a="use crate::Thing;", b="")
        self.assertEqual(self.edges(), {("a", "b")})

    def test_comments_text_and_tests_do_not_count(self):
        self.write(
            a='''
            //! As crate::b does.
            /* crate::b */
            const TEXT: &str = "use crate::b; {";
            const RAW: &str = r#"crate::b " {"#;
            const BRACE: char = '{';
            #[cfg(test)]
            mod tests { use crate::b::X; fn f() { let x = 1; } }
            #[cfg(test)]
            use crate::b::Y;
            use crate::c;
            ''',
            b="#[cfg(test)]\nmod checks;",
            b__checks="use crate::a;",
            c="",
        )
        self.assertEqual(self.edges(), {("a", "c")})

    def test_a_lifetime_is_no_character(self):
        self.write(a="fn f<'a>(x: &'a str) -> &'a crate::b::B { x }", b="")
        self.assertEqual(self.edges(), {("a", "b")})


class Circles(Crate):
    def test_a_circle_is_found_with_its_members_alone(self):
        self.write(a="use crate::b::B;", b="use crate::c::C;", c="use crate::a::A;", d="use crate::a::A;")
        self.assertEqual(self.circles(), [["a", "b", "c"]])

    def test_two_ways_down_are_no_circle(self):
        self.write(a="use crate::{b::B, c::C};", b="use crate::d;", c="use crate::d;", d="")
        self.assertEqual(self.circles(), [])

    def test_a_program_may_name_all(self):
        self.write(main="use crate::a;", bin__more="use crate::a;", a="use crate::b;", b="")
        self.assertEqual(self.edges(), {("a", "b")})


class Dependencies(Crate):
    def workspace(self, **needed):
        names = [name for layer in module_graph.LAYERS for name in layer] + list(module_graph.TRAIN)
        found = {name: (self.folder, set()) for name in names}
        for name, others in needed.items():
            found[name.replace("_", "-")] = (self.folder, set(others))
        return module_graph.wrong_dependencies(found)

    def test_lower_crates_may_be_used(self):
        self.assertEqual(self.workspace(parseye_events=["parseye-capture", "parseye-vision"]), [])

    def test_a_higher_crate_may_not(self):
        lines = self.workspace(parseye_vision=["parseye-events"])
        self.assertEqual(lines, ["parseye-vision depends on parseye-events, which is not below it"])

    def test_the_training_does_without_live_runs(self):
        self.assertEqual(len(self.workspace(parseye_train=["parseye-vision", "parseye"])), 1)

    def test_a_crate_of_another_name_is_missed(self):
        found = {"parseye-vision": (self.folder, set())}
        self.assertTrue(any("no package parseye-capture" in line for line in module_graph.wrong_dependencies(found)))


class Here(unittest.TestCase):
    def test_the_sources_are_read(self):
        found, names = module_graph.checked(ROOT)
        graph = module_graph.modules(found["parseye-vision"][0] / "src")
        self.assertIn("temporal", graph)
        self.assertIn("eye_state", graph["classify"])
        self.assertGreater(len(names), 5)


if __name__ == "__main__":
    unittest.main()
