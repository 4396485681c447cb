from .bubble_chart import draw_bubble_chart as draw_bubble_chart
from .caption import caption_sentences as caption_sentences
from .chart_files import chart_page as chart_page
from .chart_files import write_chart as write_chart
from .curves import curves_table as curves_table
from .curves import draw_curves as draw_curves
from .curves import read_arms as read_arms
from .figure_file import figure_bytes as figure_bytes
from .figure_file import figure_pixels as figure_pixels
from .figure_file import write_figure as write_figure
from .label_overlay import write_label_overlays as write_label_overlays
from .label_placement import place_labels as place_labels
from .latex import latex_table as latex_table
from .markdown import markdown_table as markdown_table
from .mosaic import draw_predictions as draw_predictions
from .overlay import draw_pose as draw_pose
from .overlay import write_picture as write_picture
from .overlay import write_pose_overlays as write_pose_overlays
from .panels import PanelColumn as PanelColumn
from .panels import heatmap_panel as heatmap_panel
from .panels import network_column as network_column
from .panels import store_column as store_column
from .rows import Row as Row
from .rows import RowFiles as RowFiles
from .rows import load_rows as load_rows
from .table import table_csv as table_csv
from .table import table_latex as table_latex
from .table import table_markdown as table_markdown
from .table import write_table as write_table

__all__ = [
    "PanelColumn",
    "Row",
    "RowFiles",
    "caption_sentences",
    "chart_page",
    "curves_table",
    "draw_bubble_chart",
    "draw_curves",
    "draw_pose",
    "draw_predictions",
    "figure_bytes",
    "figure_pixels",
    "heatmap_panel",
    "latex_table",
    "load_rows",
    "markdown_table",
    "network_column",
    "place_labels",
    "read_arms",
    "store_column",
    "table_csv",
    "table_latex",
    "table_markdown",
    "write_chart",
    "write_figure",
    "write_label_overlays",
    "write_picture",
    "write_pose_overlays",
    "write_table",
]
