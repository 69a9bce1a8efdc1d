@echo off
rem The front door on Windows: `lab --help`. It builds the tool (tests\grader) with Visual Studio 2022 and hands over to it.
rem Not tried: the project has been run on Linux and on Wine only. See README.md.
rem LAB_BUILD_DIR names another folder for everything that is built.
setlocal
cd /d "%~dp0" || exit /b 4
set "LAB_ROOT=%CD%"
if not defined LAB_BUILD_DIR set "LAB_BUILD_DIR=%CD%\build"
for %%i in ("%LAB_BUILD_DIR%") do set "LAB_BUILD_DIR=%%~fi"
if not exist "%LAB_BUILD_DIR%\log" mkdir "%LAB_BUILD_DIR%\log" || exit /b 4

rem Visual Studio brings CMake and vcpkg; vcpkg.json names the libraries, which vcpkg then builds by itself.
rem The Build Tools alone will do, so all products are asked for; a later Visual Studio does not know the preset's generator.
set "PATH=%PATH%;%ProgramFiles(x86)%\Microsoft Visual Studio\Installer"
set "vs="
for /f "usebackq delims=" %%i in (`vswhere -latest -products * -version "[17.0,18.0)" -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64 -property installationPath 2^>nul`) do set "vs=%%i"
where cmake >nul 2>nul || if defined vs set "PATH=%vs%\Common7\IDE\CommonExtensions\Microsoft\CMake\CMake\bin;%PATH%"
if not defined VCPKG_ROOT if defined vs if exist "%vs%\VC\vcpkg\vcpkg.exe" set "VCPKG_ROOT=%vs%\VC\vcpkg"

if not defined vs (
  echo lab: Visual Studio 2022 with "Desktop development with C++" is not installed. Please run:
  echo   winget install Microsoft.VisualStudio.2022.Community --override "--passive --add Microsoft.VisualStudio.Workload.NativeDesktop --add Microsoft.VisualStudio.Component.Vcpkg --includeRecommended"
  exit /b 4
)
where cmake >nul 2>nul || (
  echo lab: CMake is not installed. Please run: winget install Kitware.CMake
  exit /b 4
)
if not defined VCPKG_ROOT (
  echo lab: vcpkg is not installed. Add the component "vcpkg package manager" in the Visual Studio Installer,
  echo or clone it and set VCPKG_ROOT to its folder.
  exit /b 4
)

set "folder=%LAB_BUILD_DIR%\windows"
set "tool=%folder%\bin\RelWithDebInfo\lab_tool.exe"
if not exist "%folder%\CMakeCache.txt" (
  echo lab: configuring, once; vcpkg builds the libraries, which takes some minutes
  cmake --preset windows -B "%folder%" >"%LAB_BUILD_DIR%\log\configure-tool.log" 2>&1 || (
    echo lab: configuring failed; see %LAB_BUILD_DIR%\log\configure-tool.log
    rem CMake leaves this file also when it fails; the next call must configure again.
    del "%folder%\CMakeCache.txt" 2>nul
    exit /b 4
  )
)
if not exist "%tool%" echo lab: building the tool, once
cmake --build "%folder%" --config RelWithDebInfo --target lab_tool >"%LAB_BUILD_DIR%\log\build-tool.log" 2>&1 || (
  echo lab: the tool does not build; see %LAB_BUILD_DIR%\log\build-tool.log
  exit /b 4
)
"%tool%" %*
exit /b %ERRORLEVEL%
